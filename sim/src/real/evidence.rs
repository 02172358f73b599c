//! What people get to see of a real machine on which a scenario failed.

use super::machine::RealMachine;
use super::observe;
use super::processes::HostProcess;

impl RealMachine {
    /// For a story that did not hold: what could say why, each with a name.
    pub(super) fn evidence(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for container in self.all() {
            let line = |it: &HostProcess| format!("{:>5} {:>5} {}\n", it.pid, it.parent, it.line());
            let processes = self.processes(container).iter().map(line).collect();
            all.push((format!("{container}-processes"), processes));
            all.push((format!("{container}-slots"), observe::describe_slots(self, container)));
            all.push((format!("{container}-console"), self.console(container)));
        }
        all.push(("container-boot.log".to_owned(), observe::boot_log(self)));
        all
    }

    /// The same in one piece.
    pub(super) fn dump(&self) -> String {
        let evidence = self.evidence().into_iter();
        evidence.map(|(name, text)| format!("--- {name}\n{text}")).collect()
    }
}
