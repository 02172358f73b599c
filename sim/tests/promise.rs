//! Every promise is broken once by a world made for it, and a healthy world breaks none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hermes::host::Answer;
use hermes::host::effect::{Effect, Handle, How, Links, Over, Place, Program, Signal, Status};
use hermes::name::Profile;
use hermes_sim::disk::{Credentials, NodeId, View};
use hermes_sim::image::{self, Facts, HERMES};
use hermes_sim::kernel::programs::{Birth, make};
use hermes_sim::machine::{Moved, Printed};
use hermes_sim::observe::volume::{self, HOME_NODE};
use hermes_sim::observe::word::Word;
use hermes_sim::process::{Body, Open, What};
use hermes_sim::promise::{self, Name, Watch};
use hermes_sim::user_program::{Behaviour, Running};
use hermes_sim::world::{ContainerId, Phase, Who, World};

const FIRST: ContainerId = ContainerId(1);
const SLOT_FILES: [(&str, u32); 7] = [
    ("type", 0o644),
    ("run", 0o755),
    ("finish", 0o755),
    ("notification-fd", 0o644),
    ("timeout-kill", 0o644),
    ("log/type", 0o644),
    ("log/run", 0o755),
];

/// A world under construction, changed as nobody in it could.
struct Stage {
    world: World,
    serials: u64,
}

fn profile(name: &str) -> Profile {
    Profile::parse(name).expect("legal")
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

impl Stage {
    fn empty() -> Self {
        let mut world = image::world(&Facts::default());
        world.container_mut(FIRST).phase = Phase::Running;
        world.container_mut(FIRST).namespace = 1;
        Self { world, serials: 0 }
    }

    /// PID 1, a scanner that holds the home, `default` stopped and `coder` running, as after a boot.
    fn healthy() -> Self {
        let mut stage = Self::empty();
        let scan_dir = stage.at("/run/service");
        stage.spawn(0, 0, "/usr/bin/init");
        let scanner = stage.spawn(1, HERMES, "/command/s6-svscan /run/service");
        let lock = stage.file(".supervisor.lock", "");
        let process = stage.world.process_mut(scanner).expect("made");
        process.comm = "s6-svscan".to_owned();
        process.cwd = scan_dir;
        process.record_locks.insert(lock);
        stage.soul("coder");
        stage.slot("default", false);
        stage.slot("coder", true);
        let stamp = "2026-01-01T00:00:00+0000 profile=";
        stage.file(
            "logs/container-boot.log",
            &format!(
                "{stamp}default prior_state=stopped action=registered slot=new\n\
                 {stamp}coder prior_state=running action=started slot=new\n"
            ),
        );
        stage
    }

    fn at(&self, path: &str) -> NodeId {
        let container = self.world.container(FIRST);
        let found = self.world.disk.peek(container.root, &container.mounts, Path::new(path));
        found.expect("a path of the image")
    }

    /// A file of the volume.
    fn file(&mut self, path: &str, contents: &str) -> NodeId {
        let bytes = contents.as_bytes();
        self.world.disk.put_file(HOME_NODE, Path::new(path), bytes, 0o644, HERMES, HERMES)
    }

    fn soul(&mut self, name: &str) {
        self.file(&format!("profiles/{name}/SOUL.md"), "# soul\n");
    }

    fn home(name: &str) -> PathBuf {
        if name == "default" { PathBuf::new() } else { Path::new("profiles").join(name) }
    }

    fn intent(&mut self, name: &str, word: &str) {
        let path = Self::home(name).join("gateway_intent.json");
        let text = format!("{{\"intent\":\"{word}\"}}\n");
        self.file(path.to_str().expect("text"), &text);
    }

    fn scanned(&mut self, path: &str, contents: &[u8], mode: u32) -> NodeId {
        let dir = self.at("/run/service");
        self.world.disk.put_file(dir, Path::new(path), contents, mode, HERMES, HERMES)
    }

    /// The scan directory's entry goes.
    fn unscan(&mut self, path: &str) {
        let dir = self.at("/run/service");
        self.world.disk.remove(dir, Path::new(path));
    }

    /// A whole slot with its supervisor, and its gateway if it runs; the intent says so, too.
    fn slot(&mut self, name: &str, runs: bool) {
        self.intent(name, if runs { "running" } else { "stopped" });
        let slot = format!("gateway-{name}");
        for (path, mode) in SLOT_FILES {
            self.scanned(&format!("{slot}/{path}"), b"text\n", mode);
        }
        if !runs {
            self.scanned(&format!("{slot}/down"), b"", 0o644);
        }
        let lock = self.scanned(&format!("{slot}/supervise/lock"), b"", 0o644);
        let supervisor = self.spawn(2, HERMES, "s6-supervise");
        let dir = self.at(&format!("/run/service/{slot}"));
        let process = self.world.process_mut(supervisor).expect("made");
        process.comm = "s6-supervise".to_owned();
        process.cwd = dir;
        process.record_locks.insert(lock);
        let pid = if runs { self.gateway(name, supervisor.pid).pid } else { 0 };
        self.status(name, runs, pid);
    }

    fn status(&mut self, name: &str, wants_up: bool, pid: i32) {
        let mut record = vec![0u8; 35];
        record[28..32].copy_from_slice(&pid.to_be_bytes());
        record[34] = if wants_up { 4 } else { 0 } | if pid > 0 { 8 } else { 0 };
        self.scanned(&format!("gateway-{name}/supervise/status"), &record, 0o644);
    }

    /// A gateway that holds its profile's lock, if nobody does.
    fn gateway(&mut self, name: &str, parent: i32) -> Who {
        let option = if name == "default" { String::new() } else { format!(" -p {name}") };
        let who = self.spawn(
            parent,
            HERMES,
            &format!("/usr/local/bin/hermes{option} gateway run --notify-fd 3"),
        );
        let path = Self::home(name).join(".gateway.lock");
        let lock = self.file(path.to_str().expect("text"), "");
        let process = self.world.process_mut(who).expect("made");
        process.env = Arc::new(BTreeMap::from([("HERMES_S6_SUPERVISED_CHILD".into(), "1".into())]));
        process.record_locks.insert(lock);
        who
    }

    fn spawn(&mut self, parent: i32, uid: u32, line: &str) -> Who {
        self.serials += 1;
        let credentials = Credentials { uid, gid: uid, groups: vec![uid], umask: 0o022 };
        let birth = Birth {
            parent,
            serial: self.serials,
            credentials,
            inherited: BTreeMap::new(),
            dies_with_parent: false,
        };
        let body = Body::User(Running::new(PathBuf::new(), &Behaviour::default(), Duration::ZERO));
        let who = make(&mut self.world, FIRST, birth, body);
        let process = self.world.process_mut(who).expect("made");
        process.argv = line.split_whitespace().map(OsString::from).collect();
        who
    }

    /// A watch that has seen the boot.
    fn booted(&self) -> Watch {
        let mut watch = Watch::new(&self.world, &Name::ALL);
        watch.booted(&self.world).expect("a healthy world");
        watch
    }

    fn booted_breach(&self) -> Option<Name> {
        let mut watch = Watch::new(&self.world, &Name::ALL);
        watch.booted(&self.world).err().map(|breach| breach.promise)
    }

    /// A command that is at work.
    fn command(&mut self, watch: &mut Watch, uid: u32, line: &str) -> (Who, u64) {
        let who = self.spawn(0, uid, &format!("/usr/local/bin/{line}"));
        let serial = self.world.process(who).expect("made").serial;
        watch.begins(&self.world, serial, &words(line), uid);
        (who, serial)
    }

    /// It ends.
    fn exit(&mut self, (who, serial): (Who, u64), code: u8) -> Moved {
        self.world.container_mut(FIRST).processes.remove(&who.pid);
        Moved::Exited { who, serial, code }
    }

    /// Replaces a file as the production code does, but for the syncs.
    fn replace_unsynced(&mut self, dir: NodeId, name: &str, contents: &[u8], fresh: u64) {
        let credentials = Credentials { uid: HERMES, gid: HERMES, groups: vec![], umask: 0o022 };
        let mounts = BTreeMap::new();
        let view =
            View { root: HOME_NODE, cwd: HOME_NODE, mounts: &mounts, credentials: &credentials };
        let disk = &mut self.world.disk;
        let how = How::Create { mode: 0o644 };
        let new = disk.open(&view, Some(dir), Path::new("new"), how, Links::Refuse, fresh);
        let new = new.expect("made");
        disk.write(new, Some(0), contents).expect("written");
        let (from, to) = ((Some(dir), Path::new("new")), (Some(dir), Path::new(name)));
        disk.rename(&view, from, to, Over::Replace).expect("renamed");
    }
}

fn acted(who: Who, effect: Effect) -> Moved {
    Moved::Acted { who, effect, outcome: Some(Ok(Answer::Done)) }
}

fn wrote_intent(who: Who) -> Moved {
    acted(
        who,
        Effect::Rename {
            from: Place::from("/opt/data/profiles/coder/.tmp"),
            to: Place::from("/opt/data/profiles/coder/gateway_intent.json"),
            over: Over::Replace,
        },
    )
}

fn broken<T>(looked: Result<T, promise::Breach>) -> Option<Name> {
    looked.err().map(|breach| breach.promise)
}

fn said(text: &str) -> Printed {
    Printed {
        who: Who { container: FIRST, pid: 2 },
        gateway: None,
        out: Vec::new(),
        err: text.as_bytes().to_vec(),
    }
}

#[test]
fn a_healthy_world_breaks_no_promise() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    watch.at_rest(&stage.world).expect("still healthy");
    let looks = stage.command(&mut watch, HERMES, "hermes gateway status --all");
    let open = Effect::Open {
        place: Place::from("/opt/data/gateway_intent.json"),
        how: How::Read,
        links: Links::Follow,
    };
    watch.moved(&stage.world, &acted(looks.0, open), None).expect("it only looks");
    let ended = stage.exit(looks, 4);
    watch.moved(&stage.world, &ended, None).expect("status may exit 4");
    let stop = stage.command(&mut watch, HERMES, "hermes gateway stop");
    let ended = stage.exit(stop, 0);
    watch.moved(&stage.world, &ended, None).expect("it was stopped before");
    watch.at_rest(&stage.world).expect("healthy to the end");
}

#[test]
fn s1_an_acknowledged_word_must_be_durable() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let start = stage.command(&mut watch, HERMES, "hermes gateway start");
    let running = b"{\"intent\":\"running\"}\n";
    stage.replace_unsynced(HOME_NODE, "gateway_intent.json", running, 1 << 40);
    let node = volume::intent_node(&stage.world, &profile("default")).expect("there");
    stage.world.disk.sync(node).expect("synced");
    stage.unscan("gateway-default/down");
    let ended = stage.exit(start, 0);
    assert_eq!(broken(watch.moved(&stage.world, &ended, None)), Some(Name::S1));
}

#[test]
fn s1_a_power_cut_must_not_undo_an_acknowledged_word() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    stage.intent("coder", "stopped");
    watch.power_cut(&stage.world);
    let who = stage.spawn(0, HERMES, "/bin/true");
    let moved = Moved::Automaton { who };
    assert_eq!(broken(watch.moved(&stage.world, &moved, None)), Some(Name::S1));
}

#[test]
fn s2_a_file_that_a_power_cut_would_tear_is_not_whole() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES, "hermes -p coder gateway stop");
    let dir = volume::dir(&stage.world, &profile("coder")).expect("there");
    let stopped = b"{\"intent\":\"stopped\"}\n";
    stage.replace_unsynced(dir, "gateway_intent.json", stopped, 1 << 40);
    assert_eq!(broken(watch.moved(&stage.world, &wrote_intent(who), None)), Some(Name::S2));
}

#[test]
fn s2_every_possible_contents_of_an_unsynced_file_is_seen() {
    let mut stage = Stage::healthy();
    let dir = volume::dir(&stage.world, &profile("coder")).expect("there");
    stage.replace_unsynced(dir, "gateway_intent.json", b"{\"intent\":\"stopped\"}\n", 1 << 40);
    let possible = volume::durable_words(&stage.world, &profile("coder"));
    let all = [Word::Running, Word::Stopped, Word::Broken];
    assert_eq!(possible, all.into_iter().collect());
    let mut after = std::collections::BTreeSet::new();
    for choice in 0..stage.world.disk.cuts(image::VOLUME) {
        let mut world = stage.world.clone();
        world.disk.power_cut(image::VOLUME, choice);
        after.insert(volume::word(&world, &profile("coder")));
    }
    assert_eq!(possible, after, "what the disk itself does");
}

#[test]
fn s3_a_gateway_must_not_change_its_intent() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let who = stage.spawn(1, HERMES, "/usr/local/bin/hermes gateway status");
    stage.intent("coder", "running");
    assert_eq!(broken(watch.moved(&stage.world, &wrote_intent(who), None)), Some(Name::S3));
    let mut watch = stage.booted();
    let run = stage.spawn(1, HERMES, "/usr/local/bin/hermes -p coder gateway run");
    stage.intent("coder", "stopped");
    assert_eq!(broken(watch.moved(&stage.world, &wrote_intent(run), None)), Some(Name::S3));
}

#[test]
fn s4_a_failure_says_why_and_leaves_the_old_word_or_the_new() {
    for (code, text, expected) in [
        (1, "", Some(Name::S4)),
        (1, "it did not work\n", Some(Name::S4)),
        (1, "✗ s6-svc failed\n", None),
        (2, "error: unexpected argument\n\nUsage: hermes\n", None),
    ] {
        let mut stage = Stage::healthy();
        let mut watch = stage.booted();
        let start = stage.command(&mut watch, HERMES, "hermes gateway start");
        let ended = stage.exit(start, code);
        let looked = watch.moved(&stage.world, &ended, Some(&said(text)));
        assert_eq!(broken(looked), expected, "{text:?}");
    }
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let start = stage.command(&mut watch, HERMES, "hermes gateway start");
    stage.intent("default", "runing");
    let ended = stage.exit(start, 1);
    let looked = watch.moved(&stage.world, &ended, Some(&said("✗ no\n")));
    assert_eq!(broken(looked), Some(Name::S4));
}

#[test]
fn s5_two_gateways_of_a_profile_are_one_too_many() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let second = stage.gateway("coder", 1);
    let process = stage.world.process_mut(second).expect("made");
    process.record_locks.clear();
    let waits = acted(second, Effect::Listen { port: 9200 });
    watch.moved(&stage.world, &waits, None).expect("one that waits does no work");
    let process = stage.world.process_mut(second).expect("made");
    process.insert(Open::new(What::Listener(9200), true, false));
    assert_eq!(broken(watch.moved(&stage.world, &waits, None)), Some(Name::S5));
}

#[test]
fn s6_a_slot_without_a_file_must_not_be_seen() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES, "hermes -p coder gateway start");
    stage.unscan("gateway-coder/finish");
    let gone = Effect::Unlink { place: Place::from("/run/service/gateway-coder/finish") };
    assert_eq!(broken(watch.moved(&stage.world, &acted(who, gone), None)), Some(Name::S6));
}

#[test]
fn s7_the_down_file_says_the_intent_once_no_command_is_at_work() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let stop = stage.command(&mut watch, HERMES, "hermes -p coder gateway stop");
    stage.intent("coder", "stopped");
    watch.moved(&stage.world, &wrote_intent(stop.0), None).expect("it is still at work");
    let ended = stage.exit(stop, 0);
    assert_eq!(broken(watch.moved(&stage.world, &ended, None)), Some(Name::S7));
}

#[test]
fn s8_a_signal_must_not_meet_a_stranger() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let (who, _) = stage.command(&mut watch, HERMES, "hermes -p other gateway stop");
    let met = stage.world.everybody().find(|(_, it)| it.argv.iter().any(|word| word == "coder"));
    let (target, serial) = met.map(|(who, it)| (who, it.serial)).expect("it lives");
    let open = Open::new(What::Process(target, serial), false, false);
    let handle = Handle(stage.world.process_mut(who).expect("made").insert(open));
    let sent = acted(who, Effect::SignalProcess { process: handle, signal: Signal::TERM });
    assert_eq!(broken(watch.moved(&stage.world, &sent, None)), Some(Name::S8));
    let (own, _) = stage.command(&mut watch, HERMES, "hermes -p coder gateway stop");
    let open = Open::new(What::Process(target, serial), false, false);
    let handle = Handle(stage.world.process_mut(own).expect("made").insert(open));
    let sent = acted(own, Effect::SignalProcess { process: handle, signal: Signal::TERM });
    watch.moved(&stage.world, &sent, None).expect("its own gateway");
}

#[test]
fn s9_another_profile_must_not_notice() {
    let (with, mut without) = (Stage::healthy(), Stage::healthy());
    promise::same_for_others(&with.world, &without.world, &profile("coder")).expect("the same");
    without.intent("default", "running");
    let compared = promise::same_for_others(&with.world, &without.world, &profile("coder"));
    assert_eq!(broken(compared), Some(Name::S9));
    let compared = promise::same_for_others(&with.world, &without.world, &profile("default"));
    assert_eq!(broken(compared), None);
}

#[test]
fn s10_root_neither_follows_nor_runs_nor_writes_what_is_hermes_s() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let root = stage.spawn(1, 0, "/usr/local/bin/hermes boot init");
    let disk = &mut stage.world.disk;
    disk.put_link(HOME_NODE, Path::new("link"), "/etc", HERMES, HERMES);
    disk.put_file(HOME_NODE, Path::new("tool"), b"sim:user", 0o755, HERMES, HERMES);
    let open = |path: &str, how| Effect::Open { place: path.into(), how, links: Links::Follow };
    let program = Program { path: "/opt/data/tool".into(), ..Program::default() };
    for effect in [
        open("/opt/data/link/passwd", How::Read),
        open("/opt/data/tool", How::Append { mode: 0o644 }),
        Effect::Run { program, timeout: Duration::from_secs(1) },
    ] {
        let looked = watch.moved(&stage.world, &acted(root, effect.clone()), None);
        assert_eq!(broken(looked), Some(Name::S10), "{effect:?}");
    }
    for effect in [open("/opt/data/tool", How::Read), open("/etc/passwd", How::Read)] {
        watch.moved(&stage.world, &acted(root, effect), None).expect("only data");
    }
}

#[test]
fn s10_root_supervises_no_slot_of_hermes_s() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let scanner = stage.spawn(1, 0, "/command/s6-svscan /run/service");
    let dir = stage.at("/run/service");
    let process = stage.world.process_mut(scanner).expect("made");
    process.comm = "s6-svscan".to_owned();
    process.cwd = dir;
    let moved = Moved::Automaton { who: scanner };
    assert_eq!(broken(watch.moved(&stage.world, &moved, None)), Some(Name::S10));
}

#[test]
fn s11_a_reader_takes_no_lock_and_removes_nothing() {
    for line in ["hermes gateway status", "hermes boot reconcile --dry-run", "hermes doctor"] {
        let mut stage = Stage::healthy();
        let mut watch = stage.booted();
        let (who, _) = stage.command(&mut watch, HERMES, line);
        for effect in [
            Effect::LockRecord { handle: Handle(0) },
            Effect::Unlink { place: Place::from("/opt/data/gateway.pid") },
        ] {
            let looked = watch.moved(&stage.world, &acted(who, effect), None);
            assert_eq!(broken(looked), Some(Name::S11), "{line}");
        }
    }
}

#[test]
fn s12_a_panic_and_a_debug_print_are_no_named_errors() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let (who, serial) = stage.command(&mut watch, HERMES, "hermes gateway start");
    let moved = Moved::Panicked { who, message: "index out of bounds".to_owned() };
    assert_eq!(broken(watch.moved(&stage.world, &moved, None)), Some(Name::S12));
    let moved = Moved::Exited { who, serial, code: 1 };
    let printed = said("✗ HostError { errno: 5 }\n");
    assert_eq!(broken(watch.moved(&stage.world, &moved, Some(&printed))), Some(Name::S12));
}

#[test]
fn s13_each_profile_has_one_whole_and_true_line() {
    let stamp = "2026-01-01T00:00:00+0000 profile=";
    let default = format!("{stamp}default prior_state=stopped action=registered slot=new\n");
    for coder in [
        String::new(),
        format!("{stamp}coder prior_state=runn"),
        format!("{stamp}coder prior_state=running action=registered slot=new\n"),
        format!("{stamp}coder prior_state=running action=danced slot=new\n"),
    ] {
        let mut stage = Stage::healthy();
        stage.file("logs/container-boot.log", &format!("{default}{coder}"));
        assert_eq!(stage.booted_breach(), Some(Name::S13), "{coder:?}");
    }
}

#[test]
fn s14_two_orders_must_end_the_same() {
    let (one, mut other) = (Stage::healthy(), Stage::healthy());
    promise::commute(&one.world, &other.world).expect("the same");
    other.unscan("gateway-coder/finish");
    let compared = promise::commute(&one.world, &other.world);
    assert_eq!(broken(compared), Some(Name::S14));
}

#[test]
fn l1_the_want_follows_the_intent_or_says_why() {
    let mut stage = Stage::healthy();
    stage.status("default", true, 0);
    assert_eq!(stage.booted_breach(), Some(Name::L1));
    let mut stage = Stage::healthy();
    let gateway =
        stage.world.everybody().find(|(_, it)| it.argv.iter().any(|word| word == "coder"));
    let who = gateway.map(|(who, _)| who).expect("it lives");
    stage.world.container_mut(FIRST).processes.remove(&who.pid);
    stage.status("coder", true, 0);
    assert_eq!(stage.booted_breach(), Some(Name::L1));
    stage.file("profiles/coder/gateway_state.json", "{\"failures\":3}");
    assert_eq!(stage.booted_breach(), None, "back-off is visible");
}

#[test]
fn l2_each_profile_has_a_slot_and_nobody_else() {
    let mut stage = Stage::healthy();
    let copy = |stage: &mut Stage, name: &str| {
        for (path, mode) in SLOT_FILES {
            stage.scanned(&format!("gateway-{name}/{path}"), b"text\n", mode);
        }
    };
    copy(&mut stage, "stray");
    assert_eq!(stage.booted_breach(), Some(Name::L2));
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    stage.unscan("gateway-default");
    assert_eq!(broken(watch.at_rest(&stage.world)), Some(Name::L2));
}

#[test]
fn l3_nothing_is_left_without_an_owner() {
    for path in ["profiles/coder/.x.1f.hermes-tmp", ".locks/gone", ".gateway-planned-stop.json"] {
        let mut stage = Stage::healthy();
        stage.file(path, "{}");
        assert_eq!(stage.booted_breach(), Some(Name::L3), "{path}");
    }
    let mut stage = Stage::healthy();
    stage.scanned(".gateway-coder.abc/run", b"x", 0o755);
    assert_eq!(stage.booted_breach(), Some(Name::L3), "a stage");
    let mut stage = Stage::healthy();
    let logger = stage.spawn(1, HERMES, "/command/s6-log");
    stage.world.process_mut(logger).expect("made").comm = "s6-log".to_owned();
    assert_eq!(stage.booted_breach(), Some(Name::L3), "a logger");
    let mut stage = Stage::healthy();
    let zombie = stage.spawn(2, HERMES, "/bin/true");
    stage.world.process_mut(zombie).expect("made").ended = Some(Status::Exited(0));
    assert_eq!(stage.booted_breach(), Some(Name::L3), "a zombie");
}

#[test]
fn l4_a_stopped_gateway_is_gone() {
    let mut stage = Stage::healthy();
    let supervisor = stage.world.everybody().find(|(_, it)| it.comm == "s6-supervise");
    let parent = supervisor.map(|(who, _)| who.pid).expect("there");
    stage.gateway("default", parent);
    assert_eq!(stage.booted_breach(), Some(Name::L4));
}

#[test]
fn l5_failing_starts_come_ever_more_slowly() {
    let at = |seconds: &[u64]| seconds.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
    let longest = Duration::from_secs(60);
    for (starts, expected) in [
        (at(&[0, 1, 3, 7, 15]), None),
        (at(&[0, 60, 120, 180, 240]), None),
        (at(&[0, 1, 2, 3, 4]), Some(Name::L5)),
        (at(&[0, 8, 12]), Some(Name::L5)),
    ] {
        assert_eq!(broken(promise::ever_slower(&starts, longest)), expected, "{starts:?}");
    }
}

#[test]
fn l6_half_made_profiles_and_deleted_ones_that_come_back_are_seen() {
    let mut stage = Stage::healthy();
    stage.file("profiles/.gone.old.abc/SOUL.md", "");
    assert_eq!(stage.booted_breach(), Some(Name::L6));
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    stage.soul("old");
    assert_eq!(broken(watch.at_rest(&stage.world)), Some(Name::L6));
}

fn told(presence: &str, fact: &str, drifts: &str) -> String {
    let verdict = if drifts.is_empty() { "up" } else { "drift" };
    format!(
        r#"{{"schema":1,"gateways":[
        {{"profile":"default","verdict":"down","intent":"stopped","presence":"supervised",
          "want":"down","at_start":"down","fact":"down","drifts":[]}},
        {{"profile":"coder","verdict":"{verdict}","intent":"running","presence":"{presence}",
          "want":"up","at_start":"up","fact":"{fact}","drifts":[{drifts}]}}]}}"#
    )
}

#[test]
fn l7_status_says_what_is_so() {
    let stage = Stage::healthy();
    let agrees = |text: &str| broken(promise::status_agrees(&stage.world, text.as_bytes()));
    assert_eq!(agrees(&told("supervised", "up", "")), None);
    assert_eq!(agrees(&told("unregistered", "up", "")), Some(Name::L7));
    assert_eq!(agrees(&told("supervised", "down", "")), Some(Name::L7));
    assert_eq!(agrees("{\"gateways\":[]}"), Some(Name::L7));
}

#[test]
fn a_promise_that_nobody_asked_for_is_not_looked_at() {
    let mut stage = Stage::healthy();
    stage.status("default", true, 0);
    let mut watch = Watch::new(&stage.world, &[Name::S5]);
    watch.booted(&stage.world).expect("L1 was not asked for");
}

#[test]
fn every_name_reads_back_and_has_a_reason() {
    for name in Name::ALL {
        assert_eq!(name.to_string().parse::<Name>(), Ok(name));
        assert!(!name.reason().is_empty());
    }
    assert!("S15".parse::<Name>().is_err());
}

#[test]
fn overlapping_commands_may_end_in_either_order() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let stop = stage.command(&mut watch, HERMES, "hermes -p coder gateway stop");
    let start = stage.command(&mut watch, HERMES, "hermes -p coder gateway start");
    let ended = stage.exit(stop, 0);
    watch.moved(&stage.world, &ended, None).expect("the start came after it");
    let ended = stage.exit(start, 0);
    watch.moved(&stage.world, &ended, None).expect("running");
    let coder = profile("coder");
    assert!(watch.words(&coder).has(Word::Stopped), "until somebody rests");
    watch.at_rest(&stage.world).expect("at rest");
    assert!(!watch.words(&coder).has(Word::Stopped), "now it is known");
}

#[test]
fn a_command_cut_short_leaves_the_old_word_or_the_new() {
    let mut stage = Stage::healthy();
    let mut watch = stage.booted();
    let (who, serial) = stage.command(&mut watch, HERMES, "hermes -p coder gateway stop");
    stage.intent("coder", "stopped");
    watch.moved(&stage.world, &wrote_intent(who), None).expect("its own word");
    stage.world.container_mut(FIRST).processes.remove(&who.pid);
    watch.cut_short(&stage.world, std::iter::once(serial));
    watch.at_rest(&stage.world).expect("a slot may lag until the next boot");
    watch.moved(&stage.world, &Moved::Automaton { who }, None).expect("nothing more");
}
