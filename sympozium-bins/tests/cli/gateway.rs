//! `sympozium gateway serve`, as other programs meet it.

use crate::place::{Ended, Place, signal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

const TOKEN: &str = "a-token-for-tests-0123";

struct Gateway {
    child: Child,
    address: String,
}

impl Gateway {
    fn start(place: &Place, more: &[&str], environment: &[(&str, &str)]) -> Self {
        let script = place.file(
            "script.yaml",
            "turns: [{text: Hello., usage: {input: 3, output: 2}}]",
        );
        let mut child = place
            .std_command()
            .envs(environment.iter().copied())
            .args(["gateway", "serve", "--script"])
            .arg(script)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("{line:?}"));
        Self {
            address: address.to_owned(),
            child,
        }
    }

    /// Status and body of the answer.
    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let token = token
            .map(|token| format!("authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn complete(&self, token: Option<&str>) -> (u16, String) {
        let body = json!({"model": "scripted", "messages": [{"role": "user", "content": "Hi."}]});
        self.ask("POST", "/v1/chat/completions", token, &body.to_string())
    }

    fn stop(self, with: Signal) -> Ended {
        signal(self.child.id(), with);
        Ended::of(self.child.wait_with_output().unwrap())
    }
}

#[test]
fn a_program_with_the_token_gets_answers_and_others_do_not() {
    let place = Place::new();
    let file = place.file("token", &format!("{TOKEN}\n"));
    let gateway = Gateway::start(&place, &["--token-file", file.to_str().unwrap()], &[]);
    let (status, body) = gateway.complete(Some(TOKEN));
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(gateway.complete(Some("a-token-for-tests-0124")).0, 401);
    assert_eq!(gateway.complete(None).0, 401);
    assert_eq!(gateway.ask("GET", "/healthz", None, "").0, 200);
    let (status, metrics) = gateway.ask("GET", "/metrics", None, "");
    assert_eq!(status, 200);
    assert!(metrics.contains("gen_ai_client_token_usage"), "{metrics}");
    let ended = gateway.stop(Signal::TERM);
    ended.check(0);
    assert!(
        !ended.stderr.contains(TOKEN),
        "a given token is not shown: {ended:?}"
    );
}

#[test]
fn without_a_token_a_new_one_is_told_once() {
    let place = Place::new();
    let mut gateway = Gateway::start(&place, &[], &[]);
    let mut told = BufReader::new(gateway.child.stderr.take().unwrap());
    let token = loop {
        let mut line = String::new();
        assert_ne!(told.read_line(&mut line).unwrap(), 0);
        if let Some((_, token)) = line.split_once("token (shown this once): ") {
            break token.trim().to_owned();
        }
    };
    assert_eq!(gateway.complete(Some(&token)).0, 200);
    gateway.stop(Signal::INT).check(0);
}

#[test]
fn policies_hold_for_served_programs_too() {
    let place = Place::new();
    let policy = place.file(
        "p.yaml",
        "apiVersion: sympozium.ai/v1alpha1\nkind: SympoziumPolicy\nmetadata: {name: p}\nspec: {models: {allow: [scripted]}, budget: {perDay: {tokens: 20000}}}\n",
    );
    let environment = [("SYMPOZIUM_GATEWAY_TOKEN", TOKEN)];
    let gateway = Gateway::start(&place, &["--policy", policy.to_str().unwrap()], &environment);
    let body = json!({"model": "other", "messages": [{"role": "user", "content": "Hi."}]}).to_string();
    let (status, refusal) = gateway.ask("POST", "/v1/chat/completions", Some(TOKEN), &body);
    assert_eq!(status, 403, "{refusal}");
    assert!(refusal.contains("models.allow"), "{refusal}");
    assert_eq!(gateway.complete(Some(TOKEN)).0, 200);
    gateway.stop(Signal::TERM).check(0);
}
