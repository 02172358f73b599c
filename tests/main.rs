//! The only integration binary: what the library does to a real machine, low floors first.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests arrange and observe the real machine directly"
)]

mod support {
    pub(crate) mod answering;
    pub(crate) mod home;
    pub(crate) mod machine;
    pub(crate) mod supervisor;
}

mod tidy;

mod host {
    mod os;
}
mod record {
    mod files;
    mod processes;
    mod properties;
}
mod ops {
    mod bounds;
    mod install;
    mod lifecycle;
    mod profiles;
    mod reconcile;
    mod status;
}

mod gateway;

mod cli {
    mod readme;
    mod schema;
    mod units;
    mod words;
}

mod launchd;
mod played;

mod native;

mod render {
    mod agent;
    pub(crate) mod facts;
    mod task;
    mod together;
    mod unit;
}

mod docker {
    mod boot;
    mod command;
    mod foreign;
    pub(crate) mod image;
    mod machine;
    mod run;
    mod safety;
    mod scripts;
    mod stop;
    mod tour;
}

mod systemd;

mod windows;
