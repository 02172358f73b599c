//! The machine in motion: which process can move, one step of it, and time. Chooses nothing.
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

use crate::hash;
use crate::machine::command_line::gateway_of;
use crate::machine::footprint::{self, Resource};
use crate::machine::hosts::manager;
use crate::machine::kernel::processes::Loader;
use crate::machine::kernel::{self, Reply, signals};
use crate::machine::process::ProcessBody;
use crate::machine::s6::{logger, supervise, svscan};
use crate::machine::user_program;
use crate::machine::world::{ContainerId, ContainerPhase, ProcessId, World};
use crate::machine::{foreign, loader, runtime};
use crate::replay::{LiveFuture, Request, Task};

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// A task had an effect performed, or was refused it.
    Performed {
        /// Which process.
        who: ProcessId,
        /// What it asked for.
        effect: Effect,
        /// What it was told; `None` where it became another program.
        outcome: Option<Outcome>,
    },
    /// A task ended by itself.
    Exited {
        /// Which process.
        who: ProcessId,
        /// Its own number in the run.
        serial: u64,
        /// With this code.
        code: u8,
    },
    /// A task panicked.
    Panicked {
        /// Which process.
        who: ProcessId,
        /// Saying this.
        message: String,
    },
    /// One of s6's processes, a script or a user's program moved.
    Automaton {
        /// Which process.
        who: ProcessId,
    },
}

/// The world, and the futures of its tasks.
#[derive(Debug)]
pub struct Machine {
    /// Everything that counts.
    pub world: World,
    live_futures: BTreeMap<u64, LiveFuture>,
    /// Who printed what, by serial.
    pub outputs: Arc<BTreeMap<u64, Arc<ProcessOutput>>>,
    /// How many gateways of a profile a container has started since it started itself.
    pub gateway_starts: Arc<BTreeMap<(ContainerId, u64, Profile), u8>>,
}

/// What a process printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOutput {
    /// Which process.
    pub who: ProcessId,
    /// Whose gateway it is, or belongs to.
    pub gateway: Option<Profile>,
    /// On standard output.
    pub stdout: Vec<u8>,
    /// On standard error.
    pub stderr: Vec<u8>,
}

impl Clone for Machine {
    fn clone(&self) -> Self {
        Self {
            world: self.world.clone(),
            live_futures: BTreeMap::new(),
            outputs: Arc::clone(&self.outputs),
            gateway_starts: Arc::clone(&self.gateway_starts),
        }
    }
}

impl Machine {
    /// A machine at rest.
    pub fn new(world: World) -> Self {
        Self {
            world,
            live_futures: BTreeMap::new(),
            outputs: Arc::default(),
            gateway_starts: Arc::default(),
        }
    }

    /// The hash of everything that decides what can happen next.
    pub fn state_digest(&self) -> u128 {
        hash::digest(&self.world)
    }

    /// Who can move now, by container and number.
    pub fn ready_processes(&self) -> Vec<ProcessId> {
        let everybody = self.world.processes();
        everybody.map(|(who, _)| who).filter(|&who| self.is_ready(who)).collect()
    }

    /// Can this process move now?
    pub fn is_ready(&self, who: ProcessId) -> bool {
        let world = &self.world;
        let Some(process) = world.process(who) else { return false };
        let moves = process.is_alive()
            && !process.stopped
            && world.container(who.container).phase == ContainerPhase::Running;
        moves
            && match &process.body {
                ProcessBody::Task(task) => match &**task.request() {
                    Request::Effect(effect) => kernel::is_ready(world, who, effect),
                    Request::Exit(_) | Request::Panic(_) => true,
                },
                ProcessBody::Svscan(_) => svscan::is_ready(world, who),
                ProcessBody::Supervise(_) => supervise::is_ready(world, who),
                ProcessBody::Logger(_) => logger::is_ready(world, who),
                ProcessBody::User(running) => user_program::is_ready(world, who, running),
                ProcessBody::BootHook => foreign::is_ready(world, who),
                ProcessBody::Manager(_) => manager::is_ready(world, who),
            }
    }

    /// What a task wants, if the process is one.
    pub fn request(&self, who: ProcessId) -> Option<&Request> {
        match &self.world.process(who)?.body {
            ProcessBody::Task(task) => Some(&**task.request()),
            _ => None,
        }
    }

    /// The effect that a task is about to ask for.
    pub fn next_effect(&self, who: ProcessId) -> Option<&Effect> {
        match self.request(who)? {
            Request::Effect(effect) => Some(effect),
            Request::Exit(_) | Request::Panic(_) => None,
        }
    }

    /// One step of a process that is ready.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn step(&mut self, who: ProcessId) -> StepOutcome {
        footprint::during_step(|| {
            // A process that is ended or stopped does not get here.
            let process = self.world.process(who).expect("the process that moves exists");
            footprint::record_read(Resource::Process(process.serial));
            self.step_recorded(who)
        })
    }

    fn step_recorded(&mut self, who: ProcessId) -> StepOutcome {
        let process = self.world.process(who).expect("the process that moves exists");
        match &process.body {
            ProcessBody::Task(task) => match Request::clone(task.request()) {
                Request::Effect(effect) => self.perform_effect(who, effect),
                Request::Exit(code) => {
                    let serial = process.serial;
                    self.live_futures.remove(&serial);
                    signals::end_process(&mut self.world, who, Status::Exited(code));
                    StepOutcome::Exited { who, serial, code }
                }
                Request::Panic(message) => {
                    signals::end_process(&mut self.world, who, Status::Exited(101));
                    StepOutcome::Panicked { who, message }
                }
            },
            ProcessBody::Svscan(_) => self.step_starter(who, svscan::step),
            ProcessBody::Supervise(_) => self.step_starter(who, supervise::step),
            ProcessBody::Logger(_) => self.step_automaton(who, logger::step),
            ProcessBody::BootHook => self.step_automaton(who, foreign::step),
            ProcessBody::Manager(_) => {
                footprint::record_everything();
                self.step_starter(who, manager::step)
            }
            ProcessBody::User(_) => {
                footprint::record_everything();
                if let Some(line) = user_program::step(&mut self.world, who) {
                    self.print(who, Stream::Out, format!("{line}\n").as_bytes());
                }
                StepOutcome::Automaton { who }
            }
        }
    }

    /// One step of an automaton that starts programs.
    fn step_starter(
        &mut self,
        who: ProcessId,
        step: fn(&mut World, ProcessId, Loader),
    ) -> StepOutcome {
        self.step_automaton(who, |world, who| step(world, who, loader::become_program))
    }

    fn step_automaton(
        &mut self,
        who: ProcessId,
        step: impl FnOnce(&mut World, ProcessId),
    ) -> StepOutcome {
        let before = self.world.container(who.container).last_pid;
        step(&mut self.world, who);
        self.count_starts(who.container, before);
        StepOutcome::Automaton { who }
    }

    /// Counts the gateways that came to be in this step.
    fn count_starts(&mut self, id: ContainerId, before: i32) {
        let container = self.world.container(id);
        for (_, process) in container.processes.range(before + 1..) {
            if let Some(profile) = gateway_of(&process.argv) {
                *Arc::make_mut(&mut self.gateway_starts)
                    .entry((id, container.namespace, profile))
                    .or_default() += 1;
            }
        }
    }

    fn perform_effect(&mut self, who: ProcessId, effect: Effect) -> StepOutcome {
        match loader::perform(&mut self.world, who, &effect) {
            Reply::Done(outcome) => {
                if let (Effect::Print { stream, bytes, .. }, Ok(Answer::Count(count))) =
                    (&effect, &outcome)
                {
                    self.print(who, *stream, &bytes[..*count]);
                }
                self.answer(who, outcome.clone());
                StepOutcome::Performed { who, effect, outcome: Some(outcome) }
            }
            Reply::Replaced => {
                // It is another program now, even if it is ours again: that future is over.
                if let Some(serial) = self.world.process(who).map(|process| process.serial) {
                    self.live_futures.remove(&serial);
                }
                StepOutcome::Performed { who, effect, outcome: None }
            }
            Reply::Blocked => panic!("{who:?} was not ready: {effect:?}"),
        }
    }

    fn print(&mut self, who: ProcessId, stream: Stream, bytes: &[u8]) {
        let printed = self.output_mut(who);
        match stream {
            Stream::Out => printed.stdout.extend_from_slice(bytes),
            Stream::Err => printed.stderr.extend_from_slice(bytes),
        }
    }

    fn output_mut(&mut self, who: ProcessId) -> &mut ProcessOutput {
        let process = self.world.process(who).expect("the process that prints exists");
        let parent = self.world.process(ProcessId { pid: process.parent, ..who });
        let gateway = gateway_of(&process.argv)
            .or_else(|| parent.and_then(|parent| gateway_of(&parent.argv)));
        let serial = process.serial;
        let none =
            || Arc::new(ProcessOutput { who, gateway, stdout: Vec::new(), stderr: Vec::new() });
        Arc::make_mut(Arc::make_mut(&mut self.outputs).entry(serial).or_insert_with(none))
    }

    /// Refuses a task what it asks for.
    ///
    /// # Panics
    ///
    /// If the process is no task with an effect to come.
    pub fn refuse(&mut self, who: ProcessId, errno: Errno) -> StepOutcome {
        let Some(Request::Effect(effect)) = self.request(who).cloned() else {
            panic!("{who:?} asks for nothing");
        };
        self.answer(who, Err(errno));
        StepOutcome::Performed { who, effect, outcome: Some(Err(errno)) }
    }

    fn answer(&mut self, who: ProcessId, outcome: Outcome) {
        let now = self.world.clock.boot;
        let process = self.world.process_mut(who).expect("the process that is answered exists");
        let live = self.live_futures.remove(&process.serial);
        let ProcessBody::Task(task) = &mut process.body else { panic!("{who:?} is no task") };
        let live = Task::answer(task, live, outcome);
        let takes_time =
            matches!(**task.request(), Request::Effect(Effect::Sleep { .. } | Effect::Run { .. }));
        process.waiting_since = takes_time.then_some(now);
        if let Some(live) = live {
            self.live_futures.insert(process.serial, live);
        }
    }

    /// When time alone lets a process move, or ends a stop's grace.
    pub fn next_wake(&self) -> Option<Duration> {
        let everybody = self.world.processes();
        let moments = everybody.filter_map(|(who, _)| self.wakes_at(who));
        moments.chain(runtime::wakes_at(&self.world)).filter(|&at| at > self.world.clock.boot).min()
    }

    fn wakes_at(&self, who: ProcessId) -> Option<Duration> {
        let world = &self.world;
        let process = world.process(who)?;
        if !process.is_alive() || process.stopped {
            return None;
        }
        if world.container(who.container).phase != ContainerPhase::Running {
            return None;
        }
        match &process.body {
            ProcessBody::Task(task) => match &**task.request() {
                Request::Effect(effect) => kernel::wakes_at(world, who, effect),
                Request::Exit(_) | Request::Panic(_) => None,
            },
            ProcessBody::Svscan(_) => svscan::wakes_at(world, who),
            ProcessBody::Supervise(_) => supervise::wakes_at(world, who),
            ProcessBody::User(running) => running.wakes_at(),
            ProcessBody::Manager(_) => manager::wakes_at(world, who),
            ProcessBody::Logger(_) | ProcessBody::BootHook => None,
        }
    }

    /// Lets time pass up to this moment.
    pub fn advance_to(&mut self, to: Duration) {
        let passed = to.saturating_sub(self.world.clock.boot);
        self.world.clock.boot += passed;
        self.world.clock.wall += passed;
        runtime::kill_overdue_containers(&mut self.world);
    }

    /// Sends a signal from outside.
    pub fn send_signal(&mut self, who: ProcessId, signal: Signal) {
        signals::deliver(&mut self.world, who, signal);
    }
}
