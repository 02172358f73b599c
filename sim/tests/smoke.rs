//! A look at a run, by hand.
use hermes_sim::{play::{Move, Play}, scenario, search::{Budget, Search}};
use std::sync::Arc;

#[test]
fn look() {
    let name = std::env::var("SCENARIO").unwrap_or_else(|_| "r1-container-restart".into());
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let scenario = Arc::new(scenario::load(&path, &text).unwrap());
    let mut play = match Play::new(&scenario) { Ok(p) => p, Err(e) => { println!("{e:?}"); return } };
    println!("booted: {} moves {} effects", play.moves, play.effects);
    for (s, p) in &play.machine.printed { println!("{s}: {} {}", String::from_utf8_lossy(&p.out), String::from_utf8_lossy(&p.err)); }
    for (who, p) in play.machine.world.everybody() { println!("{} {} {:?} ready {}", who.pid, p.comm, p.argv, play.machine.is_ready(who)); }
    let full = std::env::var("FULL").is_ok();
    for _ in 0..100000 {
        if play.is_over() { break }
        let Some(next) = play.moves().into_iter().next() else { break };
        if full { match &next { Move::Step(who) => println!("{:?} {} {:?} {:?}", play.machine.world.clock.boot, who.pid, play.task(*who).map(|t| t.to_string()), play.next_effect(*who)), o => println!("{o:?}") } }
        if let Err(e) = play.take(&next) { println!("FAILED {e:?}"); break }
    }
    for (s, p) in &play.machine.printed { println!("{s}: {} {}", String::from_utf8_lossy(&p.out), String::from_utf8_lossy(&p.err)); }
    for (who, p) in play.machine.world.everybody() { println!("{} {} {:?} {:?}", who.pid, p.comm, p.argv, p.ended); }
    let budget = Budget { runs: 100, states: 1000, surprises: 1, seed: 1 };
    println!("{:?}", Search::new(&scenario, budget).unwrap().calm());
}
