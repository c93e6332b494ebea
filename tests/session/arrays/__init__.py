"""Arrays that stay on the device, queues of a caller, requests in flight."""
