"""What a model says about itself, as Graph.metadata."""

from __future__ import annotations

from typing import Any

import onnx

from clconv.errors import ModelError
from clconv.frontend.onnx.declarations import declared_spec
from clconv.frontend.onnx.reading.files import Origin
from clconv.graph.ir import TensorSpec


def read_metadata(
    model: onnx.ModelProto, origin: Origin, sequences: bool = False
) -> dict[str, Any]:
    """The entries of Graph.metadata.

    producer_name, producer_version, domain, description, graph_name, graph_description: text.
    version: the model's own number. ir_version: ONNX's. opsets: domain ("" is ONNX's) -> version.
    custom: the model's key -> value pairs. source: the path, or a word for bytes.
    output_specs: output name -> TensorSpec as declared, symbolic sizes as text, unknown ones None;
    outputs declared without a shape are missing, and so are sequences, where they may be. The importer adds
    unranked: inputs that declare no shape -> DType; defaults: initializers that runs may replace -> TensorSpec.
    """
    return {
        "producer_name": model.producer_name,
        "producer_version": model.producer_version,
        "domain": model.domain,
        "description": model.doc_string,
        "version": model.model_version,
        "graph_name": model.graph.name,
        "graph_description": model.graph.doc_string,
        "custom": {p.key: p.value for p in model.metadata_props},
        "ir_version": model.ir_version,
        "opsets": {_plain(o.domain): o.version for o in model.opset_import},
        "source": origin.label,
        "output_specs": _output_specs(model, origin, sequences),
    }


def _plain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _output_specs(model: onnx.ModelProto, origin: Origin, sequences: bool) -> dict[str, TensorSpec]:
    specs = {}
    for value in model.graph.output:
        # An output may come without a type: it is whatever its node makes.
        if value.type.WhichOneof("value") is None:
            continue
        spec = declared_spec(value, f"{origin.label}: output", others=sequences)
        if spec is not None:
            specs[value.name] = spec
    return specs


def read_opset(model: onnx.ModelProto, origin: Origin) -> int:
    """The version of ONNX's own operators; ModelError if it is missing or newer than `onnx` knows."""
    versions = [o.version for o in model.opset_import if _plain(o.domain) == ""]
    newest = onnx.defs.onnx_opset_version()
    if not versions:
        if model.ir_version < 3:
            return 1  # the opset was no field yet
        if any(n.domain in ("", "ai.onnx") for n in model.graph.node):
            raise ModelError(f"{origin.label}: does not say which opset it uses")
        return newest
    version = int(max(versions))
    if version > newest:
        raise ModelError(
            f"{origin.label}: uses opset {version}; the installed onnx {onnx.__version__} knows opsets "
            f"up to {newest}: upgrade it, or export the model with an older opset"
        )
    if version < 1:
        raise ModelError(f"{origin.label}: opset {version} does not exist")
    return version
