<%doc>
Reads the processor's clock in every work-group: ticks[group] = now. Index space: the work-groups, of one item each.
</%doc>
<%namespace name="clock" file="/clock.mako"/>\
${clock.function()}
kernel void ${entry}(global ulong* ticks) {
  ticks[get_group_id(0)] = ${entry}_clock();
}
