.DEFAULT_GOAL := help
.PHONY: help run test check docs shim bench bench-shim loadtest soak faults clean fuzz audit

VENV := .venv/bin
RUN := .venv/installed
TEST := .venv/installed-test
URL := http://127.0.0.1:8080

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

run: $(RUN) ## collector, forwarder, sandbox and demo page (flags: make run ARGS='--port 9000')
	@exec $(VENV)/ochn dev $(ARGS)

test: $(TEST) ## all tests, with a real Kafka and a real Chromium (ARGS='tests/collector -k cors')
	@exec scripts/test $(ARGS)

check: $(TEST) ## format, lint, types, and the rules of the house
	@exec scripts/check

docs: $(TEST) ## the pages that are made from the code
	@$(VENV)/python -m ochn.reference > docs/configuration.md
	@$(VENV)/python -m eventlog.schema > docs/event.schema.json
	@$(VENV)/python -m tests.support.hostile

shim: ## omnichannel.min.js and its source map, from static/omnichannel.js (needs node and npm)
	@exec scripts/shim

bench: $(TEST) ## the figures of collector and forwarder, each beside the bare limit (ARGS='--short --parts kafka')
	@exec scripts/bench $(ARGS)

bench-shim: $(TEST) ## the bars of omnichannel.js in Chromium: sizes, losses, times (ARGS='--share 0.1 --parts times')
	@exec scripts/bench-shim $(ARGS)

loadtest: $(TEST) ## two minutes of pages and phones against a collector that runs (URL=http://127.0.0.1:8080)
	@exec $(VENV)/locust -f loadtests/locustfile.py --headless --users 200 --spawn-rate 50 --run-time 2m --host $(URL) $(ARGS)

soak: $(TEST) ## twenty minutes of load and faults on all five destinations, then a reckoning (ARGS='--minutes 2')
	@exec scripts/soak $(ARGS)

faults: $(TEST) ## the fault tests at their full length (hours)
	@exec scripts/test -m system --soak --timeout=0 $(ARGS)

fuzz: $(TEST) ## a million spoilt requests against a whole collector (ARGS='--seed 7 --count 1000000 --jobs 4')
	@exec $(VENV)/python -m tests.support.fuzz $(ARGS)

audit: $(TEST) ## known advisories about the pinned packages (asks a service on the internet)
	@exec scripts/audit $(ARGS)

clean: ## removes what was made, but no data
	rm -rf .venv .cache build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN): pyproject.toml constraints.txt
	@scripts/setup

$(TEST): pyproject.toml constraints.txt
	@scripts/setup test
