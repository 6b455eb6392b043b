# Short names for `cargo xtask`, which does the work: `cargo xtask help` lists everything.
.PHONY: help test lint manifests run

help: ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' $(MAKEFILE_LIST)

test: ## Install what the tests need, and run them all.
	cargo xtask test

lint: ## Check formatting, clippy, documentation and the rules for text.
	cargo xtask lint

manifests: ## Write config/crd from the Rust types.
	cargo xtask manifests

run: ## Run the first command of the README: an agent with real tools and a scripted model.
	cargo run --release --bin sympozium -- run --provider scripted --script examples/scripted/first-run.yaml --workspace examples/data/orders "Which customer spent the most? Write a report."
