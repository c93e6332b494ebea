"""From a file or bytes to a ModelProto and its tensors, believing nothing."""
