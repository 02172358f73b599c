//! Dropping credentials, which only root can, on the real kernel.

use hermes::error::Errno;
use hermes::host::Host as _;
use hermes::host::effect::{Answer, Effect, Outcome};
use hermes::host::os::{OsHost, run_ready};

fn now(host: &OsHost, effect: Effect) -> Outcome {
    run_ready(host.perform(effect))
}

#[test]
fn credentials_are_given_up_for_good() {
    // Credentials belong to a thread, so only a thread loses them here.
    std::thread::spawn(|| {
        let host = OsHost::new();
        assert_eq!(now(&host, Effect::SetGroups { gids: vec![12345] }), Ok(Answer::Done));
        assert_eq!(now(&host, Effect::SetGid { gid: 12345 }), Ok(Answer::Done));
        assert_eq!(now(&host, Effect::SetUid { uid: 12345 }), Ok(Answer::Done));
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("readable");
        for line in ["Uid:\t12345\t12345\t12345\t12345", "Gid:\t12345\t12345\t12345\t12345"] {
            assert!(status.contains(line), "{status}");
        }
        assert_eq!(now(&host, Effect::SetUid { uid: 0 }), Err(Errno(1)));
    })
    .join()
    .expect("credentials are given up for good");
}
