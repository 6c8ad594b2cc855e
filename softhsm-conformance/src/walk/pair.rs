//! Both modules, each in its process, put through the same orders.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::perform::Order;
use crate::subjects::{ANSWER_BOUND, Running, Subject, Subjects};
use crate::transcript::{Step, Transcript};

/// SoftHSM2 and kms-pkcs11, side by side.
pub(super) struct Pair<'a> {
    softhsm: Walking<'a>,
    module: Walking<'a>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(subjects: &'a Subjects) -> Self {
        Self {
            softhsm: Walking::new(&subjects.softhsm),
            module: Walking::new(&subjects.module),
        }
    }

    /// What SoftHSM2 and kms-pkcs11 recorded while they followed an order.
    pub(super) fn follow(&mut self, order: &Order) -> io::Result<(Transcript, Transcript)> {
        if matches!(order, Order::Begin) {
            self.softhsm.revive()?;
            self.module.revive()?;
        }
        let order = serde_json::to_string(order)?;
        self.softhsm.send(&order);
        self.module.send(&order);
        Ok((self.softhsm.receive()?, self.module.receive()?))
    }
}

/// One module and the process that it runs in, if that is still there.
struct Walking<'a> {
    subject: &'a Subject,
    process: Option<Process>,
}

struct Process {
    running: Running,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl<'a> Walking<'a> {
    fn new(subject: &'a Subject) -> Self {
        Self {
            subject,
            process: None,
        }
    }

    fn revive(&mut self) -> io::Result<()> {
        if self.process.is_none() {
            self.process = Some(Process::start(self.subject)?);
        }
        Ok(())
    }

    /// Hands on an order; that nobody is there to take it shows in the answer.
    fn send(&mut self, order: &str) {
        if let Some(process) = &mut self.process {
            let _ = writeln!(process.orders, "{order}");
        }
    }

    fn receive(&mut self) -> io::Result<Transcript> {
        let Some(process) = &mut self.process else {
            return Err(io::Error::other("the process of a module is gone"));
        };
        match process.answers.recv_timeout(ANSWER_BOUND) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(error) => {
                let step = Step {
                    name: "the process".to_owned(),
                    rv: process.running.end(error)?,
                    details: Vec::new(),
                };
                self.process = None;
                Ok(Transcript {
                    steps: vec![step],
                    ..Transcript::default()
                })
            }
        }
    }
}

impl Process {
    fn start(subject: &Subject) -> io::Result<Self> {
        let mut command = subject.command("follow")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running(command.spawn()?);
        let (Some(orders), Some(stdout)) = (running.0.stdin.take(), running.0.stdout.take()) else {
            return Err(io::Error::other(
                "the child has no standard input or output",
            ));
        };
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        Ok(Self {
            running,
            orders,
            answers,
        })
    }
}
