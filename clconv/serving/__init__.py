"""A model as a web service: the Open Inference Protocol (KServe v2) over HTTP, with dynamic batching."""
