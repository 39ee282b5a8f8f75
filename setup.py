"""What is compiled: the sampling kernel (else NumPy does its work) and operations of llama.cpp (else its own do)."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "clew.models.llamacpp._kernel",
            ["src/clew/models/llamacpp/native/kernel.c"],
            # Not -ffast-math: the kernel must see infinities and NaN.
            extra_compile_args=[
                "-O3",
                "-std=gnu11",
                "-fopenmp-simd",
                "-fno-math-errno",
                "-fno-trapping-math",
                "-fno-signed-zeros",
                "-fassociative-math",
                "-freciprocal-math",
            ],
            libraries=["m"],
            optional=True,
        ),
        Extension(
            "clew.models.llamacpp._ops",
            [f"src/clew/models/llamacpp/native/{name}.c" for name in ("ops", "ops_matmul", "ops_attention")],
            depends=["src/clew/models/llamacpp/native/ops.h"],
            extra_compile_args=["-O3", "-std=gnu11"],
            optional=True,
        ),
    ]
)
