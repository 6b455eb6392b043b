//! The bridge between a mailbox and a real NATS server.

use super::Bench;
use super::memory::megabytes;
use super::start::{NOTHING, nothing};
use crate::process::{millis, start_and_wait};
use crate::report::{Line, Row, Unit};
use crate::runs::Mailbox;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many files come at once.
const BURST: usize = 10_000;

/// Between two looks at one file, and at many.
const SHORT: Duration = Duration::from_micros(5);
const LONG: Duration = Duration::from_millis(2);

/// What is missing when there is no server.
const WITHOUT: &str = "with a NATS server";

#[derive(Default)]
struct Samples {
    start: Vec<f64>,
    nothing: Vec<f64>,
    ack: Vec<f64>,
    publish: Vec<f64>,
    burst: Vec<f64>,
    bare_burst: Vec<f64>,
    stop: Vec<f64>,
    memory: Vec<f64>,
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let Some(mailbox) = Mailbox::new()? else {
        let why = "SYMPOZIUM_TEST_NATS names no nats-server; `cargo xtask bench` builds one";
        return Ok(vec![Line::not_possible(WITHOUT, why)]);
    };
    let mut samples = Samples::default();
    for round in 0..=bench.effort.rounds(20) {
        // The first round warms up.
        let mut unused = Samples::default();
        let into = if round > 0 { &mut samples } else { &mut unused };
        small(bench, &mailbox, into)?;
    }
    let size = bench.effort.size(BURST, 100);
    for _ in 0..bench.effort.rounds(5) {
        burst(bench, &mailbox, size, &mut samples)?;
    }
    lines(samples, size)
}

/// A start, some files one after the other, an end.
fn small(bench: &Bench, mailbox: &Mailbox, samples: &mut Samples) -> anyhow::Result<()> {
    samples
        .nothing
        .push(millis(start_and_wait(&mut Command::new(NOTHING))?));
    mailbox.write(1)?;
    let mut bridge = mailbox.start(&bench.programs.bridge()?)?;
    mailbox.wait_until_sent(&mut bridge, SHORT)?;
    samples.start.push(millis(bridge.begun.elapsed()));
    for _ in 0..bench.effort.rounds(50) {
        mailbox.write(1)?;
        let written = Instant::now();
        mailbox.wait_until_sent(&mut bridge, SHORT)?;
        samples.ack.push(millis(written.elapsed()));
        samples.publish.push(millis(mailbox.publish(1)?));
    }
    samples.stop.push(millis(Mailbox::stop(&mut bridge)?));
    Ok(())
}

fn burst(bench: &Bench, mailbox: &Mailbox, size: usize, samples: &mut Samples) -> anyhow::Result<()> {
    mailbox.write(size)?;
    let mut bridge = mailbox.start(&bench.programs.bridge()?)?;
    mailbox.wait_until_sent(&mut bridge, LONG)?;
    samples.burst.push(millis(bridge.begun.elapsed()));
    samples.memory.push(megabytes(bridge.resident()?));
    Mailbox::stop(&mut bridge)?;
    samples.bare_burst.push(millis(mailbox.publish(size)?));
    Ok(())
}

fn lines(samples: Samples, size: usize) -> anyhow::Result<Vec<Line>> {
    let row = |what: &str, samples| Row::new(what, Unit::Milliseconds, samples);
    let burst = format!("bridge: {size} files that are there, exec → all acknowledged");
    let start = row("bridge: exec → first file acknowledged", samples.start)?;
    let ack = row("bridge: file → acknowledged and removed", samples.ack)?;
    let stop = row("bridge: SIGTERM → exit, nothing left", samples.stop)?;
    let memory = Row::new("bridge: memory after the burst", Unit::Megabytes, samples.memory)?;
    Ok(vec![
        start
            .beside(nothing()?, samples.nothing)?
            .go(12.0)
            .goal(5.0)
            .into(),
        ack.beside("publishing alone", samples.publish)?
            .go(0.34)
            .goal(0.15)
            .into(),
        row(&burst, samples.burst)?
            .beside("publishing alone, 512 at once", samples.bare_burst)?
            .goal(500.0)
            .into(),
        stop.go(2014.0).goal(20.0).into(),
        memory.go(9.8).goal(6.0).into(),
    ])
}
