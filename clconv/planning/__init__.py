"""Plans: lowered graphs with memory, batch split and joined launches. Pure data; no device."""
