//! Random sequences from a seed: what operators, boots and accidents do to a tree, in any order. Pure.
//!
//! Left out:
//! - everything that depends on the order in which s6-svscan reads its directory;
//! - a service that fails for ever, which never comes to rest;
//! - `-pt` in one write: a process that has not run between SIGSTOP and SIGTERM takes the lower number first, and the fake
//!   is always stopped first;
//! - the death of a hidden directory's supervisor: 2.13.1 sometimes does not start another one when the directory is back,
//!   and the fake always does.

use super::sequence::{SCAN_DIR, Sequence, SequenceAct, SequenceStep, SignalTarget};

/// How many steps follow the boot.
const STEPS: u64 = 12;

const NAMES: [&str; 3] = ["a", "b", "c"];

const SVC: [&str; 21] = [
    "-u", "-d", "-o", "-O", "-t", "-r", "-k", "-x", "-D", "-U", "-Q", "-p", "-c", "-h", "-du",
    "-ud", "-dx", "-1", "-K", "-l", "-P",
];
const SCANCTL: [&str; 6] = ["-a", "-n", "-an", "-h", "-N", "-aN"];
const FIELDS: &str = "up,wantedup,normallyup,ready,paused,exitcode,signal,signum";

/// A small random number generator, the same everywhere (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.roll(from.len() as u64)).unwrap_or_default();
        from[at]
    }
}

/// The sequence of a seed.
pub fn sequence(seed: u64) -> Sequence {
    let mut dice = Dice(seed);
    let mut steps: Vec<SequenceStep> = Vec::new();
    let before = 1 + dice.roll(3);
    for name in &NAMES[..usize::try_from(before).unwrap_or(1)] {
        steps.push(SequenceStep::One(service(&mut dice, name)));
    }
    steps.push(SequenceStep::One(SequenceAct::Boot));
    let mut hidden: Vec<String> = Vec::new();
    while (steps.len() as u64) < before + 1 + STEPS {
        let act = act(&mut dice);
        match &act {
            SequenceAct::Rename(from, to) if *to == format!(".{from}") => hidden.push(from.clone()),
            SequenceAct::Rename(_, to) => hidden.retain(|name| name != to),
            SequenceAct::Signal(_, SignalTarget::Supervisor(name)) if hidden.contains(name) => {
                continue;
            }
            _ => {}
        }
        // Sometimes two operations come so close that nothing happens between them.
        steps.push(match dice.roll(5) {
            0 => SequenceStep::Several(vec![act, random_control(&mut dice)]),
            _ => SequenceStep::One(act),
        });
    }
    Sequence { name: format!("random {seed}"), found: None, steps }
}

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

fn service(dice: &mut Dice, name: &str) -> SequenceAct {
    let program = dice.pick(&["agent", "agent", "ready", "stubborn", "three", "usr1"]);
    let mut files = match program {
        "ready" => vec![file("notification-fd", "3\n")],
        "stubborn" => vec![file("timeout-kill", "300\n")],
        "three" => vec![file("finish", "#!/bin/sh\nexit 125\n")],
        "usr1" => vec![file("down-signal", "USR1\n")],
        _ => Vec::new(),
    };
    if program != "three" && dice.roll(3) == 0 {
        files.push(file("finish", "#!/bin/sh\nexit 0\n"));
    }
    let (down, log) = (dice.roll(4) == 0, dice.roll(4) == 0);
    SequenceAct::Service { name: name.to_owned(), program: program.to_owned(), down, log, files }
}

/// A control command to a supervisor or to the scanner: it returns before the command has an effect.
fn random_control(dice: &mut Dice) -> SequenceAct {
    let name = dice.pick(&NAMES);
    let words = match dice.roll(3) {
        0 => vec!["s6-svscanctl".to_owned(), dice.pick(&SCANCTL).to_owned(), SCAN_DIR.to_owned()],
        _ => vec!["s6-svc".to_owned(), dice.pick(&SVC).to_owned(), format!("{SCAN_DIR}/{name}")],
    };
    SequenceAct::Tool(words)
}

fn act(dice: &mut Dice) -> SequenceAct {
    let name = dice.pick(&NAMES);
    let dir = format!("{SCAN_DIR}/{name}");
    match dice.roll(20) {
        0..=7 => random_control(dice),
        8 => {
            SequenceAct::Tool(vec!["s6-svstat".to_owned(), "-o".to_owned(), FIELDS.to_owned(), dir])
        }
        9 => SequenceAct::Tool(vec!["s6-svok".to_owned(), dir]),
        10 => {
            let tool = dice.pick(&["s6-svc", "s6-svscanctl", "s6-svok"]);
            match tool {
                "s6-svc" => SequenceAct::ToolAsHermes(vec![tool.to_owned(), "-d".to_owned(), dir]),
                "s6-svok" => SequenceAct::ToolAsHermes(vec![tool.to_owned(), dir]),
                _ => {
                    let words = [tool, "-a", SCAN_DIR].map(str::to_owned);
                    SequenceAct::ToolAsHermes(words.to_vec())
                }
            }
        }
        11 => service(dice, &format!(".{name}")),
        12 | 13 => SequenceAct::Rename(name.to_owned(), format!(".{name}")),
        14 => SequenceAct::Rename(format!(".{name}"), name.to_owned()),
        15 => SequenceAct::Signal(
            dice.pick(&["KILL", "TERM", "HUP", "QUIT"]).to_owned(),
            SignalTarget::Supervisor(name.to_owned()),
        ),
        16 | 17 => SequenceAct::Signal(
            dice.pick(&["KILL", "TERM", "USR1"]).to_owned(),
            SignalTarget::Child(name.to_owned()),
        ),
        18 => SequenceAct::Write(format!("{name}/down"), String::new()),
        _ => SequenceAct::Remove(format!("{name}/down")),
    }
}

#[cfg(test)]
mod tests {
    use super::sequence;

    #[test]
    fn a_seed_gives_the_same_sequence_and_another_another() {
        assert_eq!(sequence(7), sequence(7));
        assert_ne!(sequence(7).steps, sequence(8).steps);
    }
}
