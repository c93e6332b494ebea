<%doc>
Mako pieces that kernels with indices share. Import with
  <%namespace name="place" file="/indexing/gather/place.mako"/>
</%doc>
## An index counted from the end if it is negative, and clamped to 0..limit - 1. An expression that reads the index several
## times. Comparisons, as PoCL calls a function for clamp.
<%def name="clamped(index, limit)">\
((${index}) < 0 ? ((${index}) + (${limit}) < 0 ? 0 : (int)((${index}) + (${limit}))) : (${index}) < (${limit}) ? (int)(${index}) : (${limit}) - 1)\
</%def>
