# clconv with PoCL, which makes the CPU an OpenCL device. GPUs: docs/install.md says how their drivers get in.
#
#     docker build -t clconv .
#     docker run --rm -v "$PWD:/work:ro" clconv run model.onnx --input photo.jpg
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY clconv clconv
COPY kernels kernels
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
# Of clconv's extras; demo needs libgl1 and libglib2.0-0 besides.
ARG EXTRAS=pocl,train,viz,parquet
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(echo /wheels/clconv-*.whl)[$EXTRAS]" \
    # NVIDIA's container toolkit brings this library into the container, but does not register it.
    && mkdir -p /etc/OpenCL/vendors \
    && echo libnvidia-opencl.so.1 >/etc/OpenCL/vendors/nvidia.icd \
    && useradd --create-home --uid 1000 clconv \
    && install -d -m 0700 -o clconv -g clconv /cache /cache/clconv /cache/pocl /work
# Compiled kernels and findings about devices outlive the container in a volume: -v clconv-cache:/cache
ENV CLCONV_CACHE_DIR=/cache/clconv POCL_CACHE_DIR=/cache/pocl
USER 1000
WORKDIR /work
ENTRYPOINT ["clconv"]
CMD ["--help"]
