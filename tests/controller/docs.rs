//! What the documentation tells people to apply, a real API server takes.

use std::path::{Path, PathBuf};

use crate::support::kube::Cluster;

/// The YAML blocks of a page that are objects of bylaw, each with its line.
fn objects(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = vec![];
    let mut block: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut block {
            None if line.trim() == "```yaml" => block = Some((number + 2, String::new())),
            None => {}
            Some(_) if line.trim() == "```" => found.extend(block.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found.retain(|(_, text)| text.contains("apiVersion: bylaw.dev/"));
    found
}

fn pages(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            into.push(path);
        }
    }
}

#[test]
fn every_object_in_the_documentation_is_taken_by_an_api_server() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![top.join("README.md"), top.join("charts/bylaw/README.md")];
    pages(&top.join("docs"), &mut files);
    let cluster = Cluster::new();
    let (mut seen, mut refused) = (0, vec![]);
    for file in &files {
        for (line, text) in objects(&std::fs::read_to_string(file).unwrap()) {
            seen += 1;
            let manifest = std::env::temp_dir().join(format!("bylaw-docs-{}-{seen}.yaml", std::process::id()));
            std::fs::write(&manifest, &text).unwrap();
            let arguments = ["apply", "--dry-run=server", "-f", manifest.to_str().unwrap()];
            let answer = cluster.try_kubectl(&arguments);
            std::fs::remove_file(&manifest).unwrap();
            if !answer.status.success() {
                let why = String::from_utf8_lossy(&answer.stderr).into_owned();
                refused.push(format!("{}:{line}: {why}", file.display()));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(seen >= 6, "only {seen} examples were found");
}
