//! Reports for programs: one JSON object each, with places as lines and
//! columns counted from 1, columns in characters.
//!
//! Left out: a schema version; fields are only ever added.

use std::ops::Range;

use serde_json::{Value, json};

use super::diagnostic::Report;

impl Report {
    /// The report as one JSON object.
    pub fn to_json(&self) -> Value {
        let place = |span: &Range<usize>| {
            let Some(source) = &self.source else { return json!({}) };
            let (line, column) = source.line_column(span.start);
            let (end_line, end_column) = source.line_column(span.end);
            json!({"file": source.name(), "line": line, "column": column,
                "end_line": end_line, "end_column": end_column})
        };
        let mut object = json!({
            "severity": self.severity.name(), "code": self.code, "message": self.message,
            "file": null, "line": null, "column": null, "end_line": null, "end_column": null,
        });
        if let Some(label) = self.labels.first() {
            merge(&mut object, place(&label.span));
        }
        let labels: Vec<Value> = self
            .labels
            .iter()
            .map(|label| {
                let mut object = place(&label.span);
                merge(&mut object, json!({"text": label.text}));
                object
            })
            .collect();
        let calls: Vec<Value> = self
            .calls
            .iter()
            .map(|f| {
                json!({"function": f.function, "file": f.source, "line": f.line,
                "column": f.column})
            })
            .collect();
        let kernel = self.kernel.as_ref();
        merge(
            &mut object,
            json!({
                "labels": labels, "call_chain": calls,
                "errno": kernel.map(|k| k.errno.name()), "call": kernel.map(|k| &k.call),
                "task": kernel.map(|k| k.task), "why": kernel.map(|k| &k.why),
                "origin": kernel.map(|k| &k.origin),
                "help": self.help, "notes": self.notes,
                "related": self.related.iter().map(Report::to_json).collect::<Vec<_>>(),
            }),
        );
        object
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::diagnostic::tests::example;

    #[test]
    fn json_has_a_place_and_a_reason() {
        let json = example().to_json();
        assert_eq!(json["file"], "x.rhai");
        assert_eq!((json["line"].as_u64(), json["column"].as_u64()), (Some(2), Some(7)));
        assert_eq!((json["end_line"].as_u64(), json["end_column"].as_u64()), (Some(2), Some(20)));
        assert_eq!(json["labels"][1]["line"], 1);
        assert_eq!(json["errno"], Value::Null);
        let bare = Report::error("forkyard::x", "m").to_json();
        assert_eq!(bare["line"], Value::Null);
    }
}
