<%doc>
The processor's clock, for devices that are the host's processor. Import with
  <%namespace name="clock" file="/clock.mako"/>
The ticks count at one rate on all cores, whatever their frequency: clconv.probes.clock_probe makes sure before they are used.
</%doc>

<%def name="function()">\
static ulong ${entry}_clock(void) {
#if defined(__x86_64__)
  uint low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (ulong)high << 32 | low;
#else
  ulong ticks;
  __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
  return ticks;
#endif
}\
</%def>
