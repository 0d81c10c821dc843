//! Names for people: types without Rust paths, signatures of functions as a
//! script writer thinks of them, and guesses at what a wrong name meant.
//!
//! Left out: documentation texts; those travel with Rhai's metadata.

use rhai::{AST, Engine};

/// A function that scripts can call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature {
    /// Its name; getters and setters are `get$x` and `set$x`.
    pub name: String,
    /// Parameter names and types; a type of `any` takes everything.
    pub params: Vec<(String, String)>,
    /// The type of its result; empty for none.
    pub returns: String,
    /// Defined by the script, so that every parameter takes everything.
    pub in_script: bool,
    /// Doc comment lines without their slashes.
    pub doc: Vec<String>,
}

impl Signature {
    /// As it is called: `fork(Task) -> Task` or as method `Task.fork() -> Task`.
    pub fn text(&self, as_method: bool) -> String {
        let param = |(name, ty): &(String, String)| match (name.as_str(), ty.as_str()) {
            ("" | "_", ty) => ty.to_string(),
            (name, "any") => name.to_string(),
            (name, ty) => format!("{name}: {ty}"),
        };
        let mut params = &self.params[..];
        let mut text = String::new();
        if let (true, Some((receiver, rest))) = (as_method, params.split_first()) {
            params = rest;
            text = format!("{}.", receiver.1);
        }
        let list: Vec<String> = params.iter().map(param).collect();
        text += &format!("{}({})", self.name, list.join(", "));
        if !self.returns.is_empty() && self.returns != "()" {
            text += &format!(" -> {}", self.returns);
        }
        text
    }

    /// Whether parameter `i` takes a value of this type.
    pub fn takes(&self, i: usize, ty: &str) -> bool {
        let wanted = self.params.get(i).map_or("", |(_, wanted)| wanted.as_str());
        wanted.split('|').any(|wanted| wanted == "any" || wanted == ty)
    }
}

/// All functions of the engine and of the script, sorted by name.
pub fn signatures(engine: &Engine, ast: Option<&AST>) -> Vec<Signature> {
    let mut all = engine.collect_fn_metadata(
        None,
        |info| {
            let m = info.metadata;
            let mut params: Vec<(String, String)> = m
                .params_info
                .iter()
                .map(|p| {
                    let (name, ty) = p.split_once(':').unwrap_or((p, "?"));
                    let ty = ty.trim();
                    let plain = ty.strip_prefix("&mut ").unwrap_or(ty);
                    (name.trim().to_string(), friendly(engine.map_type_name(plain)))
                })
                .collect();
            params.resize(m.num_params, ("_".into(), "any".into()));
            let returns = match m.return_type.as_str() {
                "" => String::new(),
                ty => friendly(engine.map_type_name(result_of(ty))),
            };
            Some(Signature {
                name: m.name.to_string(),
                params,
                returns,
                in_script: info.script.is_some(),
                doc: doc_lines(m.comments.iter().map(|c| c.as_str())),
            })
        },
        true,
    );
    if let Some(ast) = ast {
        all.extend(ast.iter_functions().filter(|f| !f.name.starts_with("anon$")).map(|f| {
            Signature {
                name: f.name.to_string(),
                params: f.params.iter().map(|p| ((*p).to_string(), "any".to_string())).collect(),
                returns: String::new(),
                in_script: true,
                doc: doc_lines(f.comments.iter().copied()),
            }
        }));
    }
    all.sort();
    all.dedup();
    all
}

fn doc_lines<'a>(comments: impl Iterator<Item = &'a str>) -> Vec<String> {
    comments
        .flat_map(str::lines)
        .map(|line| line.trim().trim_start_matches("///").trim_start_matches("/**"))
        .map(|line| line.trim_end_matches("*/").trim().to_string())
        .collect()
}

/// The value type of a Rust result type.
fn result_of(ty: &str) -> &str {
    for start in ["Result<", "RhaiResultOf<", "Raised<"] {
        if let Some((_, inner)) = ty.split_once(start) {
            let end = inner.find([',', '>']).unwrap_or(inner.len());
            return inner[..end].trim();
        }
    }
    if ty.ends_with("RhaiResult") { "Dynamic" } else { ty }
}

/// A type's name as scripts know it: no Rust path, no Rust integer names.
pub fn friendly(ty: &str) -> String {
    let ty = ty.trim();
    let ty = ty.strip_prefix("&mut ").or(ty.strip_prefix('&')).unwrap_or(ty).trim();
    let head = ty.split('<').next().unwrap_or(ty);
    let last = head.rsplit("::").next().unwrap_or(head);
    match (last, ty) {
        (_, "()") => "()",
        ("i64" | "INT" | "int", _) => "int",
        ("f64" | "FLOAT" | "float", _) => "float",
        _ if ty.contains("ImmutableString") => "string",
        ("str" | "String" | "ImmutableString" | "string" | "SmartString", _) => "string",
        ("Array" | "array", _) => "array",
        ("Vec", _) if ty.contains("u8") => "blob",
        ("Vec", _) => "array",
        ("Blob" | "blob", _) => "blob",
        ("Map" | "map" | "BTreeMap", _) => "map",
        ("FnPtr" | "Fn" | "Fn*", _) => "closure",
        ("ExclusiveRange" | "InclusiveRange" | "Range" | "RangeInclusive" | "range", _) => "range",
        ("range=", _) => "range",
        ("Dynamic" | "?" | "_" | "T" | "" | "dynamic", _) => "any",
        (last, _) => last,
    }
    .to_string()
}

/// Up to three candidates that may have been meant, best first.
pub fn did_you_mean<'c>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Vec<&'c str> {
    let limit = wrong.chars().count() / 3;
    let mut close: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|c| !c.is_empty() && *c != wrong)
        .filter_map(|c| {
            let distance = match c.eq_ignore_ascii_case(wrong) {
                true => 0,
                false => edit_distance(wrong, c),
            };
            (distance <= limit).then_some((distance, c))
        })
        .collect();
    close.sort_unstable();
    close.dedup();
    close.into_iter().take(3).map(|(_, c)| c).collect()
}

/// "did you mean `a`, `b` or `c`?", if there is anything to offer.
pub fn suggestion(names: &[&str]) -> Option<String> {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    let (last, others) = quoted.split_last()?;
    Some(match others {
        [] => format!("did you mean {last}?"),
        others => format!("did you mean {} or {last}?", others.join(", ")),
    })
}

/// Insertions, deletions, replacements, and swaps of neighbours.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // A script may name things at any length; nobody mistypes those.
    if a.len() > 64 || b.len() > 64 || a.len().abs_diff(b.len()) > 21 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (row[j - 1] + 1).min(last[j] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_their_paths() {
        for (ty, name) in [
            ("forkyard::script::bind::TaskHandle", "TaskHandle"),
            ("alloc::vec::Vec<rhai::types::dynamic::Dynamic>", "array"),
            ("alloc::vec::Vec<u8>", "blob"),
            ("&mut rhai::Map", "map"),
            ("&str", "string"),
            ("str | ImmutableString | String", "string"),
            ("i64", "int"),
            ("Fn", "closure"),
            ("core::ops::range::RangeInclusive<i64>", "range"),
            ("()", "()"),
        ] {
            assert_eq!(friendly(ty), name, "{ty}");
        }
    }

    #[test]
    fn near_names_are_found() {
        let names = ["waitpid", "wait", "waitid", "fork", "vfork", "store"];
        assert_eq!(did_you_mean("frok", names), ["fork"]);
        assert_eq!(did_you_mean("FORK", names), ["fork"]);
        assert_eq!(did_you_mean("waitpidd", names), ["waitpid", "waitid"]);
        assert!(did_you_mean("xyzzy", names).is_empty());
        assert_eq!(suggestion(&["a", "b"]).as_deref(), Some("did you mean `a` or `b`?"));
        assert_eq!(suggestion(&[]), None);
    }

    #[test]
    fn signatures_read_well() {
        let mut engine = crate::script::engine::plain();
        engine.register_fn("frob", |_: &mut crate::script::value::Addr, n: i64| n);
        let ast = engine.compile("fn mine(a, b) {}").unwrap();
        let all = signatures(&engine, Some(&ast));
        let text = |name: &str, method| {
            all.iter().find(|s| s.name == name).map(|s| s.text(method)).unwrap_or_default()
        };
        assert_eq!(text("frob", true), "Addr.frob(int) -> int");
        assert_eq!(text("frob", false), "frob(Addr, int) -> int");
        assert_eq!(text("mine", false), "mine(a, b)");
    }
}
