//! The independent evaluator, as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Its answers to these simulations, in their order.
pub fn ask(simulations: &[Value]) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let made = Command::new(folder.join("support/oracle.sh")).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "tests/support/oracle.sh says what is missing");
    let said = String::from_utf8(made.stdout).unwrap();
    let [node, installed] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    let mut child = Command::new(node)
        .arg(folder.join("oracle/ask.mjs"))
        .arg(installed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut questions = child.stdin.take().unwrap();
    let answers = BufReader::new(child.stdout.take().unwrap());
    let answers: Vec<Value> = std::thread::scope(|scope| {
        scope.spawn(move || {
            for simulation in simulations {
                let mut line = simulation.to_string();
                line.push('\n');
                if questions.write_all(line.as_bytes()).is_err() {
                    // It has ended; how is told below.
                    break;
                }
            }
        });
        answers.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    });
    assert!(child.wait().unwrap().success(), "ask.mjs failed");
    assert_eq!(answers.len(), simulations.len(), "an answer a simulation");
    answers
}
