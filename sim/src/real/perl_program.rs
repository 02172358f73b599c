//! Translates a program of a scenario into a Perl script; every Debian has Perl.
//!
//! Pure. The script does what `user_program` does on the simulated machine: lines after the start, lines after a signal.

use std::fmt::Write as _;

use crate::scenario::values::SignalName;
use crate::scenario::world::{ActionSpec, BehaviourSpec, ProgramSpec};

/// The interpreter of the lines. The clock that Perl has without modules counts hundredths of a second.
const INTERPRETER: &str = r#"
$| = 1;
my (@due, $server, @clients);
sub now { (POSIX::times())[0] / POSIX::sysconf(&POSIX::_SC_CLK_TCK) }
sub set_off {
    my ($on) = @_;
    push @due, map { [now() + $$_[1], $$_[2], $$_[3]] } grep { $$_[0] eq $on } @lines;
    @due = sort { $$a[0] <=> $$b[0] } @due;
}
sub act {
    my ($act, $with) = @_;
    if ($act eq 'exit') { exit $with }
    if ($act eq 'print') { print "$with\n" }
    if ($act eq 'ready') { if (open my $fd, '>&=', 3) { syswrite $fd, "\n"; close $fd } }
    if ($act eq 'serve') {
        $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{HERMES_GATEWAY_PORT}, Listen => 8, ReuseAddr => 1) or die "serve: $!";
    }
    if ($act eq 'fork' && fork() == 0) { $SIG{TERM} = 'IGNORE'; sleep 1 while 1 }
}
sub answer {
    my $client = $server->accept or return;
    sysread $client, my $asked, 4096;
    syswrite $client, "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
    close $client;
}
for my $signal (map { $$_[0] } @lines) { $SIG{$signal} = sub { set_off($signal) } if $signal }
set_off('');
while (1) {
    while (@due && $due[0][0] <= now()) { my $one = shift @due; act($$one[1], $$one[2]) }
    my $read = '';
    vec($read, fileno($server), 1) = 1 if $server;
    # A signal that came before the call does not interrupt it: therefore the time-out is short.
    answer() if select($read, undef, undef, 0.02) > 0;
}
"#;

/// The program's text.
pub(super) fn script(program: &ProgramSpec) -> String {
    let lines: Vec<String> = program.iter().map(line).collect();
    let needs_socket = program.iter().any(|line| line.act == ActionSpec::Serve);
    let socket = if needs_socket { "use IO::Socket;\n" } else { "" };
    let mut text = format!("#!/usr/bin/perl\nuse strict;\nuse POSIX ();\n{socket}");
    let _ = writeln!(text, "my @lines = ({});", lines.join(", ")); // a String takes everything
    text.push_str(INTERPRETER);
    text
}

fn line(line: &BehaviourSpec) -> String {
    let on = line.on.map(name).unwrap_or_default();
    let after = line.after.0.as_secs_f64();
    let (act, with) = match &line.act {
        ActionSpec::ReadyFd => ("ready", String::new()),
        ActionSpec::Serve => ("serve", String::new()),
        ActionSpec::Ignore => ("ignore", String::new()),
        ActionSpec::Fork => ("fork", String::new()),
        ActionSpec::Exit(code) => ("exit", code.to_string()),
        ActionSpec::Print(text) => ("print", text.replace('\\', "\\\\").replace('\'', "\\'")),
    };
    format!("['{on}', {after}, '{act}', '{with}']")
}

/// A signal as the shell names it.
pub(super) fn name(signal: SignalName) -> &'static str {
    match signal {
        SignalName::Hup => "HUP",
        SignalName::Int => "INT",
        SignalName::Quit => "QUIT",
        SignalName::Kill => "KILL",
        SignalName::Usr1 => "USR1",
        SignalName::Usr2 => "USR2",
        SignalName::Term => "TERM",
        SignalName::Cont => "CONT",
        SignalName::Stop => "STOP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_list_that_perl_reads() {
        let program: ProgramSpec = serde_json::from_str(
            r#"[{"on": "TERM", "after": "500ms", "do": "exit 3"}, {"do": "print it's"}]"#,
        )
        .expect("a program");
        let text = script(&program);
        assert!(
            text.contains(r"my @lines = (['TERM', 0.5, 'exit', '3'], ['', 0, 'print', 'it\'s']);")
        );
    }
}
