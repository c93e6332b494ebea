<%doc>
y[i] = table[x[i]] of bytes, in any layout. One work-item does `per_item` elements. Index space: (total / per_item).
Where the processor permutes bytes (AVX-512 VBMI, as the compiler says), 64 are looked up at a time.
</%doc>
kernel __attribute__((vec_type_hint(int16))) void ${entry}(
    global const uchar* restrict x, global const uchar* restrict table, global uchar* restrict y, long total,
    long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  long i = begin;
#ifdef __AVX512VBMI__
  typedef char table_bytes __attribute__((vector_size(64)));
  typedef char table_bytes_u __attribute__((vector_size(64), aligned(1)));
  const table_bytes t0 = *(global const table_bytes_u*)table, t1 = *(global const table_bytes_u*)(table + 64);
  const table_bytes t2 = *(global const table_bytes_u*)(table + 128), t3 = *(global const table_bytes_u*)(table + 192);
  for (; i + 64 <= end; i += 64) {
    const table_bytes index = *(global const table_bytes_u*)(x + i);
    const table_bytes low = __builtin_ia32_vpermi2varqi512(t0, index, t1);
    const table_bytes high = __builtin_ia32_vpermi2varqi512(t2, index, t3);
    *(global table_bytes_u*)(y + i) = index < 0 ? high : low;
  }
#endif
  for (; i < end; ++i) y[i] = table[x[i]];
}
