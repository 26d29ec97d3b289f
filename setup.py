"""Builds the compiled kernels (`voltrace/**/*.pyx`) where a C compiler is found. Without them the pure modules do the same, only slower."""

import sys
from pathlib import Path

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:  # a build without isolation, on a machine without Cython
    cythonize = None

SOURCES = sorted(Path("voltrace").rglob("*.pyx"))
SHARED = [str(path) for ending in ("pxd", "h") for path in sorted(Path("voltrace").rglob(f"*.{ending}"))]
FLAGS = [] if sys.platform == "win32" else ["-O3", "-g0"]
KERNELS = [Extension(".".join(path.with_suffix("").parts), [str(path)], depends=[str(path), *SHARED], extra_compile_args=FLAGS, optional=True) for path in SOURCES]

setup(ext_modules=cythonize(KERNELS, language_level=3) if cythonize and KERNELS else [])
