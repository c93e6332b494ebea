<%doc>
Mako pieces that kernels with indices share. Import with
  <%namespace name="place" file="/indexing/gather/place.mako"/>
</%doc>
## An index counted from the end if it is negative, and clamped to 0..limit - 1. An expression.
<%def name="clamped(index, limit)">\
(int)clamp((long)(${index}) + ((${index}) < 0 ? (long)(${limit}) : 0L), 0L, (long)(${limit}) - 1)\
</%def>
