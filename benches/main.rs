//! Speed and memory as ratios, each pair measured side by side in one run. `just bench` prints them.
//!
//! Nothing here asserts: a busy machine would fail a correct build.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a bench measures with real clocks, and prints what it finds"
)]

mod bare;
mod memory;
mod reconcile;

fn main() {
    // `cargo test --benches` and the like ask for a list: there is none.
    if std::env::args().any(|word| word == "--list" || word == "--test") {
        return;
    }
    reconcile::run();
    memory::run();
}
