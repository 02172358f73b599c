//! A look at runs, by hand.
use hermes_sim::{
    play::{Move, Play},
    scenario,
    search::{Budget, Search},
};
use std::sync::Arc;

fn load(name: &str) -> Arc<scenario::Scenario> {
    let path = format!("{}/../fixtures/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    Arc::new(scenario::load(&path, &text).unwrap())
}

#[test]
fn all() {
    let dir = format!("{}/../fixtures/scenarios", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let which = std::env::var("SEARCH").unwrap_or("calm".into());
    if let Ok(only) = std::env::var("ONLY") {
        names.retain(|n| n.contains(&only));
    }
    let (mut ok, mut bad) = (0, 0);
    for name in names {
        let scenario = load(&name);
        let budget = Budget { runs: 2000, states: 200000, surprises: 1, seed: 1 };
        let started = std::time::Instant::now();
        let result = std::panic::catch_unwind(|| {
            let search = Search::new(&scenario, budget).map_err(|e| format!("boot: {e:?}"))?;
            Ok::<_, String>(match which.as_str() {
                "matrix" => search.matrix(),
                "surprises" => search.surprises(),
                "closed" => search.closed(),
                _ => search.calm(),
            })
        });
        match result {
            Ok(Ok(tally)) if tally.found.is_empty() => {
                ok += 1;
                println!(
                    "ok   {name} runs {} known {} effects {} states {} trans {} complete {} {:?}",
                    tally.runs,
                    tally.known,
                    tally.effects,
                    tally.states,
                    tally.transitions,
                    tally.is_complete,
                    started.elapsed()
                );
            }
            Ok(Ok(tally)) => {
                bad += 1;
                println!("BAD  {name} runs {} {:?}", tally.runs, started.elapsed());
                for f in &tally.found {
                    println!(
                        "       {} {} | {:?} concluding {}",
                        f.failure.promise,
                        f.failure.what.chars().take(600).collect::<String>(),
                        f.schedule,
                        f.is_concluding
                    )
                }
            }
            Ok(Err(e)) => {
                bad += 1;
                println!("BAD  {name} {e}");
            }
            Err(_) => {
                bad += 1;
                println!("PANIC {name}");
            }
        }
    }
    println!("{ok} ok, {bad} bad");
}

#[test]
fn look() {
    let Ok(name) = std::env::var("SCENARIO") else { return };
    let scenario = load(&name);
    let mut play = match Play::new(&scenario) {
        Ok(p) => p,
        Err(e) => {
            println!("{e:?}");
            return;
        }
    };
    for _ in 0..100000 {
        if play.is_over() {
            break;
        }
        let Some(next) = play.moves().into_iter().next() else { break };
        match &next {
            Move::Step(who) => println!(
                "{:?} {} {} {:?} {:?}",
                play.machine.world.clock.boot,
                who.pid,
                play.machine.world.process(*who).map(|p| p.comm.clone()).unwrap_or_default(),
                play.task(*who).map(|t| t.to_string()),
                play.next_effect(*who)
            ),
            o => println!("{o:?}"),
        }
        if let Err(e) = play.take(&next) {
            println!("FAILED {e:?}");
            break;
        }
    }
    for (s, p) in &play.machine.printed {
        println!("{s}: {} {}", String::from_utf8_lossy(&p.out), String::from_utf8_lossy(&p.err));
    }
    for (who, p) in play.machine.world.everybody() {
        println!("{} {} {:?} {:?} parent {}", who.pid, p.comm, p.argv, p.ended, p.parent);
    }
}
