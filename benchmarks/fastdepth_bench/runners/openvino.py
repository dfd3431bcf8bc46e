"""Exported files in OpenVINO."""

from __future__ import annotations

from fastdepth.errors import DeviceError
from fastdepth_bench.runners.exported_file import FileRunner


class OpenVinoRunner(FileRunner):
    """OpenVINO on the CPU."""

    @staticmethod
    def check_device(device: str) -> None:
        """Raise DeviceError if OpenVINO finds no CPU that it can use."""
        from fastdepth_export.formats.openvino_ir import core

        found = core().available_devices
        if "CPU" not in found:
            raise DeviceError(f"OpenVINO finds no CPU, only {found}; use another runtime")
