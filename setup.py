"""The compiled sampling kernel. Where there is no compiler the build goes on without it, and NumPy does its work."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "clew.models.llamacpp._kernel",
            ["src/clew/models/llamacpp/kernel.c"],
            # Not -ffast-math: the kernel must see infinities and NaN.
            extra_compile_args=[
                "-O3",
                "-std=c11",
                "-fno-math-errno",
                "-fno-trapping-math",
                "-fno-signed-zeros",
                "-fassociative-math",
                "-freciprocal-math",
            ],
            libraries=["m"],
            optional=True,
        )
    ]
)
