//! Observes a machine: statuses, processes of a profile, files; and all of it at once when a test fails.

use serde_json::Value;

use super::{Machine, MachineProcess, User, expect_that, wait_until};

impl Machine {
    /// `gateway status` of one profile, as JSON.
    pub(crate) fn status(&self, profile: &str) -> Value {
        let outcome = self.hermes(&format!("--json -p {profile} gateway status"));
        outcome.json()["gateways"][0].clone()
    }

    /// Waits until a profile's status says so under this key.
    pub(crate) fn wait_status(&self, profile: &str, key: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        wait_until(&format!("{profile}: {key} is {value}"), || {
            let status = self.status(profile);
            expect_that(status[key] == value, || status.to_string()).map(|()| status)
        })
    }

    /// The live gateways of a profile.
    pub(crate) fn gateways(&self, profile: &str) -> Vec<MachineProcess> {
        let words = match profile {
            "default" => "hermes gateway run".to_owned(),
            name => format!("hermes -p {name} gateway run"),
        };
        self.processes_with(&words)
    }

    /// The only live gateway of a profile.
    #[track_caller]
    pub(crate) fn gateway(&self, profile: &str) -> MachineProcess {
        let mut found = self.gateways(profile);
        assert_eq!(found.len(), 1, "gateways of {profile}: {found:?}");
        found.remove(0)
    }

    /// The s6-supervise of a profile's gateway; its logger's is another.
    pub(crate) fn supervisors(&self, profile: &str) -> Vec<MachineProcess> {
        let line = format!("s6-supervise gateway-{profile}");
        self.processes().into_iter().filter(|process| process.line == line).collect()
    }

    /// Everything that lives for a profile: gateway, supervisors, logger.
    pub(crate) fn everything_of(&self, profile: &str) -> Vec<MachineProcess> {
        let slot = format!("gateway-{profile}");
        let logs = format!("logs/gateways/{profile}");
        let belongs = |line: &str| {
            line.split(' ').any(|word| word == slot || word == format!("{slot}/log"))
                || line.ends_with(&logs)
        };
        let mut found = self.gateways(profile);
        found.extend(self.processes().into_iter().filter(|process| belongs(&process.line)));
        found
    }

    fn processes_with(&self, words: &str) -> Vec<MachineProcess> {
        self.processes().into_iter().filter(|process| process.line.contains(words)).collect()
    }

    /// The lines of the last passes of reconcile.
    pub(crate) fn boot_log(&self) -> String {
        std::fs::read_to_string(self.home().join("logs/container-boot.log")).unwrap_or_default()
    }

    /// The log of a profile's gateway.
    pub(crate) fn gateway_log(&self, profile: &str) -> String {
        let path = self.home().join("logs/gateways").join(profile).join("current");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// All names in the scan directory, hidden ones too, but s6-svscan's own.
    pub(crate) fn scan_dir(&self) -> Vec<String> {
        let mut names = names(&self.path("/run/service"));
        names.retain(|name| name != ".s6-svscan");
        names
    }

    /// For a failed test: everything that could explain it.
    #[expect(clippy::print_stderr, reason = "a failed test shows what it had before it")]
    pub(super) fn dump(&self) {
        if self.namespace.is_none() {
            return eprintln!("the machine was between two lives");
        }
        eprintln!("=== processes");
        for process in self.processes() {
            eprintln!("{:>5}  {}", process.pid, process.line);
        }
        eprintln!("=== slots");
        for name in self.scan_dir() {
            let dir = format!("/run/service/{name}");
            let stat = self.run(User::Root, &[], &["s6-svstat", &dir]);
            let files = names(&self.path(&dir)).join(" ");
            eprintln!("{name}: {}{}{files}", stat.out, stat.err);
        }
        eprintln!("=== boot log\n{}", self.boot_log());
        for profile in names(&self.home().join("logs/gateways")) {
            eprintln!("=== log of {profile}\n{}", self.gateway_log(&profile));
        }
        let console = std::fs::read_to_string(self.scratch.path().join("console"));
        eprintln!("=== console\n{}", console.unwrap_or_default());
    }
}

/// The names in a directory, sorted; none where there is no directory.
pub(crate) fn names(dir: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
