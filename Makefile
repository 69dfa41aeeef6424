# Everything runs in .venv, which the first target that needs it creates.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-all peers setup lint docs bench release-check clean

demo: setup
	sh examples/digits/demo.sh

test: setup
	$(BIN)/pytest -n auto -m "not slow and not gpu and not peers"

test-all: setup
	$(BIN)/pytest -n auto -m "not gpu"
	$(BIN)/pytest -m gpu

# What is measured against, and Triton, beside the torch that is there: they would pull another.
peers: setup
	$(BIN)/python -m pip install --quiet --no-deps timm==1.0.31 torchvision==0.28.0 triton==3.9.0 openvino==2026.4.1
	$(BIN)/python -m pip install --quiet --constraint constraints.txt huggingface_hub pyyaml

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt resnext/pixels/_bicubic.c
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,hub,onnx,opencv,parquet,s3-tests,tensorboard,zstd]'
	touch $(STAMP)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A link or an anchor that leads nowhere is an error.
docs: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	rm -rf build/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . build/docs
	cp build/docs/README.html build/docs/index.html

bench: peers
	$(BIN)/python -m benchmarks

# What a release is made of, and what a user gets: the wheel, which is built from the sdist, runs the
# demo in an environment that has nothing else.
release-check:
	rm -rf dist build/release
	$(PYTHON) -m venv build/release/tools
	build/release/tools/bin/python -m pip install --quiet build twine
	build/release/tools/bin/python -m build --outdir dist
	build/release/tools/bin/twine check --strict dist/*
	$(PYTHON) -m venv build/release/clean
	build/release/clean/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd build/release && clean/bin/python -c "from resnext.pixels.resample import trusted_kernel; assert trusted_kernel()"
	BIN="$$PWD/build/release/clean/bin" sh examples/digits/demo.sh

clean:
	rm -rf .venv build dist *.egg-info resnext/pixels/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
