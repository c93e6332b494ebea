<%doc>
The maximum of windows of bytes on channel blocks for CPUs.

x (N, C / lanes, H, W, lanes) of uchar    y (N, C / lanes, OH, OW, lanes) of uchar
One work-item computes `rows` output rows of one block of channels. Index space: (row items, C / lanes, N).
Parameters: lanes; kernel, strides, dilations: (height, width).
</%doc>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
%>
${pieces.lanes_of(lanes)}
kernel void ${entry}(
    global const uchar* restrict x, global uchar* restrict y, int height, int width, int out_height, int out_width,
    int pad_top, int pad_left, int rows) {
  const size_t plane = get_global_id(2) * get_global_size(1) + get_global_id(1);
  global const uchar* image = x + plane * height * width * ${lanes};
  const int row_begin = get_global_id(0) * rows;
  const int row_end = row_begin + rows < out_height ? row_begin + rows : out_height;
  for (int oh = row_begin; oh < row_end; ++oh) {
    global uchar* result = y + (plane * out_height + oh) * out_width * ${lanes};
    for (int ow = 0; ow < out_width; ++ow) {
      const int left = ow * ${SW} - pad_left;
      byte_lanes most = (byte_lanes)(0);
      for (int kh = 0; kh < ${KH}; ++kh) {
        const int ih = oh * ${SH} - pad_top + kh * ${DH};
        if (ih < 0 || ih >= height) continue;
        global const uchar* line = image + (size_t)ih * width * ${lanes};
        if (left >= 0 && left + ${(KW - 1) * DW} < width) {
% for kw in range(KW):
          { const byte_lanes next = *(global const byte_lanes_u*)(line + (left + ${kw * DW}) * ${lanes});
            most = most > next ? most : next; }
% endfor
        } else {
          for (int kw = 0; kw < ${KW}; ++kw) {
            const int iw = left + kw * ${DW};
            if (iw < 0 || iw >= width) continue;
            const byte_lanes next = *(global const byte_lanes_u*)(line + iw * ${lanes});
            most = most > next ? most : next;
          }
        }
      }
      *(global byte_lanes_u*)(result + ow * ${lanes}) = most;
    }
  }
}
