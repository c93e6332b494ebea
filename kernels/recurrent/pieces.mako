<%doc>
What the kernels of recurrent layers share. Import with
  <%namespace name="pieces" file="/recurrent/pieces.mako"/>
activations: terms of the layer's functions; clip: whether there is a bound `clip` on what they are applied to.
</%doc>
## Function number i of a value, within the bounds.
<%def name="activate(activations, i, vector, clip, value)">\
<%
  bounded = value
  if clip:
      bounded = "(%s < -clip ? (%s)(-clip) : %s > clip ? (%s)(clip) : %s)" % (value, vector, value, vector, value)
%>\
(${activations[i].c_text(vector, (bounded,))})\
</%def>
## The time that step t of a sequence with `length` steps reads.
<%def name="time_of(direction)">\
${{"forward": "t", "reverse": "length - 1 - t", "bidirectional": "(d ? length - 1 - t : t)"}[direction]}\
</%def>
## Parameters: how far apart two times, batch rows and directions lie in the sequence of outputs.
<%def name="sequence_steps()">\
long y_time, long y_batch, long y_direction\
</%def>
