<%doc>
Reading and writing elements whose type in memory may be half, which arithmetic does not know. Import with
  <%namespace name="storage" file="/storage.mako"/>
</%doc>
## The element at an index as a number to compute with: a float where half is stored.
<%def name="read(type, array, index)">\
% if type == "half":
vload_half(${index}, ${array})\
% else:
${array}[${index}]\
% endif
</%def>
## Statement that stores a value.
<%def name="write(type, array, index, value)">\
% if type == "half":
vstore_half_rte((float)(${value}), ${index}, ${array});\
% else:
${array}[${index}] = (${type})(${value});\
% endif
</%def>
