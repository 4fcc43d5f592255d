//! Accounts as JSON, one object a line.

use crate::market::show_time;
use crate::paper::{Remark, Status, Stepped, Verdict};
use crate::report::paper::words::state;
use serde_json::{Map, Value, json};

/// The state of an account.
pub fn status(status: &Status) -> String {
    format!("{}\n", object(status))
}

/// What a step did, and the state after it.
pub fn step(stepped: &Stepped) -> String {
    let mut object = object(&stepped.status);
    object["stepped"] = json!({
        "bars": stepped.bars,
        "from": stepped.span.map(|(from, _)| show_time(from)),
        "to": stepped.span.map(|(_, to)| show_time(to)),
        "notes": stepped.notes,
    });
    format!("{object}\n")
}

/// All accounts in one object.
pub fn list(all: &[Status]) -> String {
    let accounts: Vec<Value> = all.iter().map(object).collect();
    format!("{}\n", json!({"schema": 1, "accounts": accounts}))
}

/// Whether an account is what its record says.
pub fn verdict(verdict: &Verdict) -> String {
    let rows: Map<String, Value> = verdict
        .rows
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
        .collect();
    let object = json!({
        "schema": 1,
        "name": verdict.name,
        "ok": verdict.holds(),
        "bars": verdict.bars,
        "rows": rows,
        "books_error": verdict.books_error,
        "differences": verdict.differences,
    });
    format!("{object}\n")
}

fn remark(remark: &Remark) -> Value {
    json!({
        "kind": remark.kind.name(),
        "symbol": remark.symbol,
        "date": show_time(remark.moment),
        "was": remark.was,
        "now": remark.now,
        "words": remark.words(),
    })
}

fn object(status: &Status) -> Value {
    let mut object = json!({
        "schema": 1,
        "name": status.name,
        "strategy": status.strategy,
        "file": status.file,
        "state": state(status),
        "epochs": status.epochs,
        "recorded_bars": status.recorded,
        "last": status.last.map(show_time),
        "figures": figures(status),
    });
    let holding = |h: &crate::paper::Holding| {
        json!({
            "layer": h.layer, "symbol": h.symbol, "shares": h.shares, "price": h.price,
            "value": h.value, "pnl": h.pnl, "stop": h.stop, "target": h.target,
        })
    };
    let order = |o: &crate::paper::OpenOrder| {
        json!({
            "id": o.id, "decided": show_time(o.decided), "layer": o.layer, "symbol": o.symbol,
            "side": o.side, "kind": o.kind, "shares": o.shares, "price": o.price, "value": o.value,
        })
    };
    let monitor = |m: &crate::paper::status::Watched| {
        json!({
            "name": m.name, "condition": m.condition, "built_in": m.built_in, "up": m.is_up,
            "since": m.since.map(show_time),
        })
    };
    let fresh = |f: &crate::paper::status::Freshness| json!({"symbol": f.symbol, "last": f.last.map(show_time), "sessions_without_bar": f.sessions});
    object["holdings"] = status.holdings.iter().map(holding).collect();
    object["orders"] = status.orders.iter().map(order).collect();
    object["monitors"] = status.monitors.iter().map(monitor).collect();
    object["alarms"] = json!(status.alarms());
    object["remarks"] = status.remarks.iter().map(remark).collect();
    object["data"] = status.freshness.iter().map(fresh).collect();
    object["replay"] = json!(status.is_replay);
    object["no_cone"] = json!(status.no_cone);
    object["caveats"] = json!(status.caveats);
    object
}

fn figures(status: &Status) -> Value {
    let Some(f) = &status.figures else {
        return Value::Null;
    };
    let income: Map<String, Value> = f
        .income
        .iter()
        .map(|(stream, amount)| (stream.name().to_owned(), json!(amount)))
        .collect();
    json!({
        "first": show_time(f.span.0),
        "last": show_time(f.span.1),
        "bars": f.bars,
        "start_equity": f.start_equity,
        "equity": f.equity,
        "cash": f.cash,
        "flows": f.flows,
        "total_return": f.total_return,
        "drawdown": f.drawdown,
        "exposure": f.exposure,
        "savings": f.savings,
        "excess_over_cash": f.equity - f.savings,
        "income": income,
        "cone": f.cone.map(|(low, high, bar)| json!({"low": low, "high": high, "bar": bar})),
    })
}
