//! Making a program that differs small: steps are left out, children are
//! merged into their makers, and arguments become the simplest that still
//! differ.
//!
//! Left out: trying two cuts at once.

use super::program::{Child, End, Make, Program, Step, Wait};

/// Programs that are a little simpler, the boldest cuts first.
fn simpler(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    // Halves, quarters, … single steps.
    let mut size = steps.len();
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let end = (at + size).min(steps.len());
            all.push([&steps[..at], &steps[end..]].concat());
            at = end;
        }
        size /= 2;
    }
    for (i, step) in steps.iter().enumerate() {
        match step {
            Step::Child(child) => {
                all.push([&steps[..i], &child.body, &steps[i + 1..]].concat());
                for child in simpler_child(child) {
                    all.push(with(steps, i, Step::Child(Box::new(child))));
                }
            }
            Step::Call(call) => {
                for (n, arg) in call.args.iter().enumerate() {
                    for arg in simpler_arg(arg) {
                        let mut call = call.clone();
                        call.args[n] = arg;
                        all.push(with(steps, i, Step::Call(call)));
                    }
                }
            }
        }
    }
    all
}

fn with(steps: &[Step], i: usize, step: Step) -> Vec<Step> {
    let mut steps = steps.to_vec();
    steps[i] = step;
    steps
}

fn simpler_child(child: &Child) -> Vec<Child> {
    let mut all = Vec::new();
    for body in simpler(&child.body) {
        all.push(Child { body, ..child.clone() });
    }
    if child.make != Make::Fork && child.wait != Wait::Futex {
        all.push(Child { make: Make::Fork, ..child.clone() });
    }
    if let Make::Clone(flags) = &child.make {
        let flags = simpler_arg(flags).into_iter();
        all.extend(flags.map(|f| Child { make: Make::Clone(f), ..child.clone() }));
    }
    if !matches!(child.end, End::Exit(0)) && child.wait != Wait::Futex {
        all.push(Child { end: End::Exit(0), ..child.clone() });
    }
    if child.wait == Wait::Stopped || child.wait == Wait::No {
        all.push(Child { wait: Wait::Dead, ..child.clone() });
    }
    all
}

/// Arguments that are simpler than this one.
fn simpler_arg(arg: &str) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(inner) = arg.strip_prefix('[').and_then(|a| a.strip_suffix(']')) {
        if !inner.is_empty() {
            all.push("[]".to_string());
        }
        let parts: Vec<&str> = inner.split(", ").collect();
        if parts.len() > 1 {
            all.extend(parts.iter().map(|p| format!("[{p}]")));
        }
        return all;
    }
    if let Some(inner) = arg.strip_prefix("#{").and_then(|a| a.strip_suffix('}')) {
        // One field less; a comma inside brackets belongs to a field.
        let mut fields: Vec<String> = Vec::new();
        for part in inner.split(", ") {
            match fields.last_mut() {
                Some(last) if last.matches('[').count() > last.matches(']').count() => {
                    *last = format!("{last}, {part}");
                }
                _ => fields.push(part.to_string()),
            }
        }
        for i in 0..fields.len() {
            let mut fewer = fields.clone();
            fewer.remove(i);
            all.push(format!("#{{{}}}", fewer.join(", ")));
        }
        return all;
    }
    let parts: Vec<&str> = arg.split(" | ").collect();
    if parts.len() > 1 {
        for i in 0..parts.len() {
            let mut fewer = parts.clone();
            fewer.remove(i);
            all.push(fewer.join(" | "));
        }
    }
    let plain = arg.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    if plain && arg != "0" && arg != "1" {
        all.extend(["0".to_string(), "1".to_string()]);
    }
    all
}

/// Makes a program simpler for as long as `differs` says that the rest still
/// differs, but asks no more than `most` times.
///
/// # Errors
/// That `differs` could not say.
pub fn shrink<E>(
    program: Program,
    most: u32,
    mut differs: impl FnMut(&Program) -> Result<bool, E>,
) -> Result<Program, E> {
    let mut program = program;
    let mut asked = 0;
    'again: loop {
        for steps in simpler(&program.steps) {
            if asked == most {
                return Ok(program);
            }
            asked += 1;
            let candidate = Program { steps };
            if differs(&candidate)? {
                program = candidate;
                continue 'again;
            }
        }
        return Ok(program);
    }
}

#[cfg(test)]
mod tests {
    use super::super::program::{Call, Form};
    use super::*;

    fn call(name: &'static str, args: &[&str]) -> Step {
        let args = args.iter().map(ToString::to_string).collect();
        Step::Call(Call { form: Form::Try, name, args })
    }

    fn child(body: Vec<Step>, code: u8) -> Step {
        let (make, wait) = (Make::Clone("CLONE_FS | SIGCHLD".into()), Wait::Stopped);
        Step::Child(Box::new(Child { make, body, end: End::ExitGroup(code), wait }))
    }

    #[test]
    fn shrinking_keeps_what_matters() {
        let program = Program {
            steps: vec![
                call("a", &[]),
                child(vec![call("b", &[]), call("bad", &["3"]), child(vec![call("x", &[])], 1)], 2),
                call("d", &[]),
            ],
        };
        let bad = |p: &Program| Ok::<_, ()>(p.text().script.contains("bad"));
        let small = shrink(program.clone(), 1000, bad).unwrap();
        assert_eq!(small, Program { steps: vec![call("bad", &["0"])] });
        // What needs a child keeps it, as the simplest there is.
        let bad = |p: &Program| {
            let inside = |s: &Step| matches!(s, Step::Child(c) if c.body.iter().any(|s| matches!(s, Step::Call(c) if c.name == "bad")));
            Ok::<_, ()>(p.steps.iter().any(inside))
        };
        let small = shrink(program, 1000, bad).unwrap();
        let plain = Child {
            make: Make::Fork,
            body: vec![call("bad", &["0"])],
            end: End::Exit(0),
            wait: Wait::Dead,
        };
        assert_eq!(small, Program { steps: vec![Step::Child(Box::new(plain))] });
    }

    #[test]
    fn arguments_become_simpler() {
        assert_eq!(simpler_arg("A | B"), ["B", "A"]);
        assert_eq!(simpler_arg("[A, B]"), ["[]", "[A]", "[B]"]);
        assert_eq!(simpler_arg("-7"), ["0", "1"]);
        assert_eq!(
            simpler_arg("#{handler: f, mask: [A, B]}"),
            ["#{mask: [A, B]}", "#{handler: f}"]
        );
        assert!(simpler_arg("0").is_empty());
    }
}
