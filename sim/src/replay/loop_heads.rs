//! The wait loops that a task is in. What a task does next at a loop head depends on what it knew when the wait began, and on
//! the values that the loop carries from round to round. Therefore the digest at a loop head is the hash of these two, and
//! if the same head was reached before, the answers since then are dropped.

use std::sync::Arc;

use hermes::probe::LoopEvent;

use super::Answers;
use crate::hash;

/// The waits of a task, the innermost last.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitStack(Arc<Vec<ActiveWait>>);

#[derive(Clone, Debug)]
struct ActiveWait {
    /// The digest when the wait began.
    entry_digest: u128,
    /// The heads reached so far: the carried values, and answers that lead there.
    heads: Vec<(u64, Answers)>,
}

impl WaitStack {
    /// Applies a loop event of the task to its waits, its digest and its answers.
    pub fn apply(&mut self, event: LoopEvent, digest: &mut u128, answers: &mut Answers) {
        let waits = Arc::make_mut(&mut self.0);
        match event {
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

    fn more(earlier: &Answers) -> Answers {
        Answers(Some(Arc::new(AnswerNode { outcome: Ok(Answer::Done), earlier: earlier.clone() })))
    }

    fn count(answers: &Answers) -> usize {
        answers.0.as_ref().map_or(0, |node| 1 + count(&node.earlier))
    }

    /// A wait that began after one answer and is at a loop head that carries 7: with the digest and the answers there.
    fn waiting() -> (WaitStack, u128, Answers) {
        let (mut waits, mut digest) = (WaitStack::default(), 1);
        let mut answers = more(&Answers::default());
        for event in [LoopEvent::Begins, LoopEvent::Head(7)] {
            waits.apply(event, &mut digest, &mut answers);
        }
        (waits, digest, answers)
    }

    #[test]
    fn the_same_head_is_the_same_state_however_often_the_wait_polled() {
        let (mut waits, head, begun) = waiting();
        let (mut digest, mut answers) = (99, more(&more(&begun)));
        waits.apply(LoopEvent::Head(7), &mut digest, &mut answers);
        assert_eq!((digest, count(&answers)), (head, count(&begun)));
    }

    #[test]
    fn another_carried_value_is_another_state() {
        let (mut waits, head, begun) = waiting();
        let (mut digest, mut answers) = (99, more(&begun));
        waits.apply(LoopEvent::Head(8), &mut digest, &mut answers);
        assert_ne!(digest, head);
        assert_eq!(count(&answers), 2, "the answers that lead there");
    }

    #[test]
    fn another_wait_is_another_state() {
        let (mut waits, head, mut answers) = waiting();
        let mut digest = 2;
        for event in [LoopEvent::Ends, LoopEvent::Begins, LoopEvent::Head(7)] {
            waits.apply(event, &mut digest, &mut answers);
        }
        assert_ne!(digest, head);
    }
}
