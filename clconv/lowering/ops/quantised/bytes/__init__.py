"""The variants of the operators on bytes, which passes/bytes writes for devices that multiply bytes."""
