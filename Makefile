# Everything needs only python3 (3.11 or newer) and make; what else is needed lands in .venv.
# `make` alone says what there is to do.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help run test check screenshots bench coverage findings clean tmux pictures

help: ## say what there is to do
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

# The constraints name one exact torch: an open range would fetch gigabytes of CUDA for a newer one.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[repl,safetensors,models,frameworks,test,dev]"
	@touch $@

run: $(STAMP) ## open the lesson
	@$(BIN)/backprop-tui $(ARGS)

test: $(STAMP) tmux ## run all tests; ARGS goes to pytest
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) tmux ## lint, format, types, import contracts and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest $(ARGS)

screenshots: $(STAMP) pictures ## draw the pictures of the README
	$(BIN)/python -m screenshots.make

bench: $(STAMP) ## measure, and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

coverage: $(STAMP) ## judge every rule on PyTorch's samples, and write docs/coverage.md
	@$(BIN)/python -m tests.rules.coverage

findings: $(STAMP) ## find every fault of the catalogue, and write docs/findings.md
	@$(BIN)/python -m tests.diagnose.page

models: $(STAMP) ## train every model of the zoo by rules alone, and write docs/models.md
	@$(BIN)/python -m tests.zoo.survey

clean: ## remove what make made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache snapshot_report.html
	find src tests benchmarks screenshots -name __pycache__ -prune -exec rm -rf {} +

# The tests drive the program in a real terminal.
tmux:
	@command -v tmux >/dev/null || $(call install,tmux) \
	  || { echo "The tests need tmux: apt-get install tmux, or brew install tmux." >&2; exit 1; }

# SVG to PNG, in the fonts that the SVG names.
pictures:
	@{ command -v rsvg-convert && fc-list | grep -q FiraCode; } >/dev/null \
	  || $(call install,librsvg2-bin fontconfig fonts-firacode fonts-dejavu-core) \
	  || { echo "The pictures need: apt-get install librsvg2-bin fontconfig fonts-firacode fonts-dejavu-core." >&2; exit 1; }

# $(call install,PACKAGES): install Debian's packages where this user may.
install = { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
  && apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $(1) >/dev/null </dev/null; }
