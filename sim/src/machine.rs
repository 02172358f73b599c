//! The machine in motion: whose turn it can be, one step of it, and time. Chooses nothing.
//!
//! A machine is a value: a copy goes on by itself. The futures of its tasks are kept beside it and rebuilt where a copy
//! has none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hermes::error::Errno;
use hermes::host::effect::{Effect, Signal, Status, Stream};
use hermes::host::{Answer, Outcome};
use hermes::name::Profile;

use crate::hosts::manager;
use crate::kernel::{self, Reply, signals};
use crate::observe::process::gateway_of;
use crate::process::Body;
use crate::s6::{logger, supervise, svscan};
use crate::task::{Live, Task, Wants};
use crate::touched::{self, Thing};
use crate::user_program;
use crate::world::{ContainerId, Phase, Who, World};
use crate::{foreign, hash, runtime};

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// A task had an effect performed, or was refused it.
    Acted {
        /// Which process.
        who: Who,
        /// What it asked for.
        effect: Effect,
        /// What it was told; `None` where it became another program.
        outcome: Option<Outcome>,
    },
    /// A task ended by itself.
    Exited {
        /// Which process.
        who: Who,
        /// Its own number in the run.
        serial: u64,
        /// With this code.
        code: u8,
    },
    /// A task panicked.
    Panicked {
        /// Which process.
        who: Who,
        /// Saying this.
        message: String,
    },
    /// One of s6's processes or a user's program moved.
    Automaton {
        /// Which process.
        who: Who,
    },
}

/// The world, and the futures of its tasks.
#[derive(Debug)]
pub struct Machine {
    /// Everything that counts.
    pub world: World,
    lives: BTreeMap<u64, Live>,
    /// Who printed what, by serial.
    pub printed: Arc<BTreeMap<u64, Arc<Printed>>>,
    /// How many gateways of a profile a container has started since it started itself.
    pub starts: Arc<BTreeMap<(ContainerId, u64, Profile), u8>>,
}

/// What a process printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Which process.
    pub who: Who,
    /// Whose gateway it is, or belongs to.
    pub gateway: Option<Profile>,
    /// On standard output.
    pub out: Vec<u8>,
    /// On standard error.
    pub err: Vec<u8>,
}

impl Clone for Machine {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            lives: BTreeMap::new(),
            printed: Arc::clone(&self.printed),
            starts: Arc::clone(&self.starts),
        }
    }
}

impl Machine {
    /// A machine at rest.
    pub fn new(world: World) -> Self {
        Self { world, lives: BTreeMap::new(), printed: Arc::default(), starts: Arc::default() }
    }

    /// The hash of everything that decides what can happen next.
    pub fn state(&self) -> u128 {
        hash::of(&self.world)
    }

    /// Who can move now, by container and number.
    pub fn ready(&self) -> Vec<Who> {
        let everybody = self.world.everybody();
        everybody.map(|(who, _)| who).filter(|&who| self.is_ready(who)).collect()
    }

    /// Can this process move now?
    pub fn is_ready(&self, who: Who) -> bool {
        let world = &self.world;
        let Some(process) = world.process(who) else { return false };
        let moves = process.is_alive()
            && !process.stopped
            && world.container(who.container).phase == Phase::Running;
        moves
            && match &process.body {
                Body::Task(task) => match &**task.wants() {
                    Wants::Effect(effect) => kernel::is_ready(world, who, effect),
                    Wants::Exit(_) | Wants::Panic(_) => true,
                },
                Body::Svscan(_) => svscan::is_ready(world, who),
                Body::Supervise(_) => supervise::is_ready(world, who),
                Body::Logger(_) => logger::is_ready(world, who),
                Body::User(running) => user_program::is_ready(world, who, running),
                Body::Hook => foreign::is_ready(world, who),
                Body::Manager(_) => manager::is_ready(world, who),
            }
    }

    /// What a task wants, if the process is one.
    pub fn wants(&self, who: Who) -> Option<&Wants> {
        match &self.world.process(who)?.body {
            Body::Task(task) => Some(&**task.wants()),
            _ => None,
        }
    }

    /// The effect that a task is about to ask for.
    pub fn effect(&self, who: Who) -> Option<&Effect> {
        match self.wants(who)? {
            Wants::Effect(effect) => Some(effect),
            Wants::Exit(_) | Wants::Panic(_) => None,
        }
    }

    /// One step of a process that is ready.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn step(&mut self, who: Who) -> Moved {
        touched::moving(|| {
            // Whoever is ended or stopped does not get here.
            touched::seen(Thing::Process(who));
            self.step_noted(who)
        })
    }

    fn step_noted(&mut self, who: Who) -> Moved {
        let process = self.world.process(who).expect("the process that moves exists");
        match &process.body {
            Body::Task(task) => match Wants::clone(task.wants()) {
                Wants::Effect(effect) => self.act(who, effect),
                Wants::Exit(code) => {
                    let serial = process.serial;
                    self.lives.remove(&serial);
                    signals::end(&mut self.world, who, Status::Exited(code));
                    Moved::Exited { who, serial, code }
                }
                Wants::Panic(message) => {
                    signals::end(&mut self.world, who, Status::Exited(101));
                    Moved::Panicked { who, message }
                }
            },
            Body::Svscan(_) => self.automaton(who, svscan::step),
            Body::Supervise(_) => self.automaton(who, supervise::step),
            Body::Logger(_) => self.automaton(who, logger::step),
            Body::Hook => self.automaton(who, foreign::step),
            Body::Manager(_) => {
                touched::everything();
                self.automaton(who, manager::step)
            }
            Body::User(_) => {
                touched::everything();
                if let Some(line) = user_program::step(&mut self.world, who) {
                    self.print(who, Stream::Out, format!("{line}\n").as_bytes());
                }
                Moved::Automaton { who }
            }
        }
    }

    fn automaton(&mut self, who: Who, step: fn(&mut World, Who)) -> Moved {
        let before = self.world.container(who.container).last_pid;
        step(&mut self.world, who);
        self.count_starts(who.container, before);
        Moved::Automaton { who }
    }

    /// Counts the gateways that came to be in this step.
    fn count_starts(&mut self, id: ContainerId, before: i32) {
        let container = self.world.container(id);
        for (_, process) in container.processes.range(before + 1..) {
            if let Some(profile) = gateway_of(&process.argv) {
                *Arc::make_mut(&mut self.starts)
                    .entry((id, container.namespace, profile))
                    .or_default() += 1;
            }
        }
    }

    fn act(&mut self, who: Who, effect: Effect) -> Moved {
        match kernel::perform(&mut self.world, who, &effect) {
            Reply::Done(outcome) => {
                if let (Effect::Print { stream, bytes, .. }, Ok(Answer::Count(count))) =
                    (&effect, &outcome)
                {
                    self.print(who, *stream, &bytes[..*count]);
                }
                self.answer(who, outcome.clone());
                Moved::Acted { who, effect, outcome: Some(outcome) }
            }
            Reply::Gone => Moved::Acted { who, effect, outcome: None },
            Reply::NotYet => panic!("{who:?} was not ready: {effect:?}"),
        }
    }

    fn print(&mut self, who: Who, stream: Stream, bytes: &[u8]) {
        let printed = self.printed_by(who);
        match stream {
            Stream::Out => printed.out.extend_from_slice(bytes),
            Stream::Err => printed.err.extend_from_slice(bytes),
        }
    }

    fn printed_by(&mut self, who: Who) -> &mut Printed {
        let process = self.world.process(who).expect("the process that prints exists");
        let parent = self.world.process(Who { pid: process.parent, ..who });
        let gateway = gateway_of(&process.argv)
            .or_else(|| parent.and_then(|parent| gateway_of(&parent.argv)));
        let serial = process.serial;
        let none = || Arc::new(Printed { who, gateway, out: Vec::new(), err: Vec::new() });
        Arc::make_mut(Arc::make_mut(&mut self.printed).entry(serial).or_insert_with(none))
    }

    /// Refuses a task what it asks for.
    ///
    /// # Panics
    ///
    /// If the process is no task with an effect to come.
    pub fn refuse(&mut self, who: Who, errno: Errno) -> Moved {
        let Some(Wants::Effect(effect)) = self.wants(who).cloned() else {
            panic!("{who:?} asks for nothing");
        };
        self.answer(who, Err(errno));
        Moved::Acted { who, effect, outcome: Some(Err(errno)) }
    }

    fn answer(&mut self, who: Who, outcome: Outcome) {
        let now = self.world.clock.boot;
        let process = self.world.process_mut(who).expect("the process that is answered exists");
        let live = self.lives.remove(&process.serial);
        let Body::Task(task) = &mut process.body else { panic!("{who:?} is no task") };
        let live = Task::answer(task, live, outcome);
        let takes_time =
            matches!(**task.wants(), Wants::Effect(Effect::Sleep { .. } | Effect::Run { .. }));
        process.since = takes_time.then_some(now);
        if let Some(live) = live {
            self.lives.insert(process.serial, live);
        }
    }

    /// When time alone lets somebody move, or ends a stop's grace.
    pub fn next_moment(&self) -> Option<Duration> {
        let everybody = self.world.everybody();
        let moments = everybody.filter_map(|(who, _)| self.wakes_at(who));
        moments.chain(runtime::wakes_at(&self.world)).filter(|&at| at > self.world.clock.boot).min()
    }

    fn wakes_at(&self, who: Who) -> Option<Duration> {
        let world = &self.world;
        let process = world.process(who)?;
        if !process.is_alive() || process.stopped {
            return None;
        }
        if world.container(who.container).phase != Phase::Running {
            return None;
        }
        match &process.body {
            Body::Task(task) => match &**task.wants() {
                Wants::Effect(effect) => kernel::wakes_at(world, who, effect),
                Wants::Exit(_) | Wants::Panic(_) => None,
            },
            Body::Svscan(_) => svscan::wakes_at(world, who),
            Body::Supervise(_) => supervise::wakes_at(world, who),
            Body::User(running) => running.wakes_at(),
            Body::Manager(_) => manager::wakes_at(world, who),
            Body::Logger(_) | Body::Hook => None,
        }
    }

    /// Lets time pass up to this moment.
    pub fn advance(&mut self, to: Duration) {
        let passed = to.saturating_sub(self.world.clock.boot);
        self.world.clock.boot += passed;
        self.world.clock.wall += passed;
        runtime::end_graces(&mut self.world);
    }

    /// Sends a signal from outside.
    pub fn signal(&mut self, who: Who, signal: Signal) {
        signals::deliver(&mut self.world, who, signal);
    }
}
