//! A look at a boot, by hand.
use hermes_sim::{
    image,
    machine::{Machine, Moved},
    runtime,
    world::ContainerId,
};

#[test]
fn boot() {
    let mut machine = Machine::new(image::world(&image::Facts::default()));
    runtime::start(&mut machine.world, ContainerId(1));
    let mut n = 0;
    loop {
        let ready = machine.ready();
        let Some(&who) = ready.first() else {
            match machine.next_moment() {
                Some(at) => {
                    machine.advance(at);
                    println!("-- {at:?}");
                    n += 1;
                    if n > 3000 {
                        break;
                    };
                    continue;
                }
                None => break,
            }
        };
        let moved = machine.step(who);
        n += 1;
        match &moved {
            Moved::Acted { effect, outcome, .. } => {
                println!("{n} {} {:?} -> {:?}", who.pid, effect, outcome)
            }
            other => println!("{n} {other:?}"),
        }
        if n > 3000 {
            break;
        }
    }
    for (s, p) in &machine.printed {
        println!("{s}: {} {}", String::from_utf8_lossy(&p.out), String::from_utf8_lossy(&p.err));
    }
    println!("{:?}", machine.world.container(ContainerId(1)).phase);
}
