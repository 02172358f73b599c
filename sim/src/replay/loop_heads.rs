//! The waits that a task is in. What it does next depends on what it knew when a wait began and on what that wait carries
//! from round to round: at the head of a round the digest says just that, and the answers since are forgotten where the
//! same head was met before.

use std::sync::Arc;

use hermes::probe::LoopEvent;

use super::Answers;
use crate::hash;

/// The innermost last.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitStack(Arc<Vec<ActiveWait>>);

#[derive(Clone, Debug)]
struct ActiveWait {
    /// The digest when it began.
    entry_digest: u128,
    /// What it carried at the heads met so far, and answers that lead there.
    heads: Vec<(u64, Answers)>,
}

impl WaitStack {
    /// A task says this of its waits.
    pub fn apply(&mut self, round: LoopEvent, digest: &mut u128, answers: &mut Answers) {
        let waits = Arc::make_mut(&mut self.0);
        match round {
            LoopEvent::Begins => {
                waits.push(ActiveWait { entry_digest: *digest, heads: Vec::new() })
            }
            LoopEvent::Ends => drop(waits.pop()),
            LoopEvent::Head(carried) => {
                let wait = waits.last_mut().expect("a round belongs to a wait");
                *digest = hash::digest(&("round", wait.entry_digest, carried));
                match wait.heads.iter().find(|(other, _)| *other == carried) {
                    Some((_, before)) => *answers = before.clone(),
                    None => wait.heads.push((carried, answers.clone())),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::AnswerNode;
    use hermes::host::Answer;

    fn more(before: &Answers) -> Answers {
        Answers(Some(Arc::new(AnswerNode { outcome: Ok(Answer::Done), earlier: before.clone() })))
    }

    fn count(answers: &Answers) -> usize {
        answers.0.as_ref().map_or(0, |answered| 1 + count(&answered.earlier))
    }

    /// A wait that began with one answer, is at the head of a round that carries 7, and has had one more since.
    fn waiting() -> (WaitStack, u128, Answers) {
        let (mut waits, mut digest) = (WaitStack::default(), 1);
        let mut answers = more(&Answers::default());
        for round in [LoopEvent::Begins, LoopEvent::Head(7)] {
            waits.apply(round, &mut digest, &mut answers);
        }
        (waits, digest, answers)
    }

    #[test]
    fn the_same_head_is_the_same_place_however_often_it_was_looked() {
        let (mut waits, head, begun) = waiting();
        let (mut digest, mut answers) = (99, more(&more(&begun)));
        waits.apply(LoopEvent::Head(7), &mut digest, &mut answers);
        assert_eq!((digest, count(&answers)), (head, count(&begun)));
    }

    #[test]
    fn what_is_carried_makes_another_place() {
        let (mut waits, head, begun) = waiting();
        let (mut digest, mut answers) = (99, more(&begun));
        waits.apply(LoopEvent::Head(8), &mut digest, &mut answers);
        assert_ne!(digest, head);
        assert_eq!(count(&answers), 2, "these lead there");
    }

    #[test]
    fn another_wait_is_another_place() {
        let (mut waits, head, mut answers) = waiting();
        let mut digest = 2;
        for round in [LoopEvent::Ends, LoopEvent::Begins, LoopEvent::Head(7)] {
            waits.apply(round, &mut digest, &mut answers);
        }
        assert_ne!(digest, head);
    }
}
