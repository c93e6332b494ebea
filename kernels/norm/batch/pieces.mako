<%doc>
What the kernels of BatchNormalization in training mode and of its gradient share. Import with
  <%namespace name="pieces" file="/norm/batch/pieces.mako"/>
x is (batch, channels, pixels) plain, or (batch, blocks, pixels, block) on channel blocks. A work-item (on GPUs a
work-group) owns a channel or a block of channels, `lane`; with stages, one of `chunks` parts of its elements, which are
numbered image by image.
</%doc>
<%! from clconv.lowering.model.ctext import element, set_element %>

## A vector of what array `name` holds for the channels of the block; those past the last one hold what that does.
<%def name="by_channel(name, V, block)">\
(${V})(${", ".join(element(name, "min(channel + %d, channels - 1)" % lane, stored(name)) for lane in range(block))})\
</%def>

## Stores C text `value`, a vector of a channel each, to array `name`.
<%def name="store_channels(name, value, block)">
% if block == 1:
    ${set_element(name, "channel", value, stored(name))}
% else:
% for lane in range(block):
    if (channel + ${lane} < channels) ${set_element(name, "channel + %d" % lane, "(%s).s%x" % (value, lane), stored(name))}
% endfor
% endif
</%def>

## A loop over the runs of a chunk: opens a block in which `at` is where a run of `n` pixels begins, in pixels of this
## channel's images; run lengths are at most `length`.
<%def name="each_run(length)">
  for (int run = first_run; run < last_run; ++run) {
    const int image = run / runs, begin = (run - image * runs) * ${length};
    const int n = min(pixels - begin, ${length});
    const size_t at = ((size_t)image * lanes + lane) * pixels + begin;
</%def>
