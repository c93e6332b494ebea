"""Means as data: a Graph and a DeviceInfo become KernelCalls. Nothing here touches a device."""
