"""The YAML spec language: typed models, a loader that keeps line and column, and the plan they resolve into.

`spec.build.load_plan` reads a spec into a `spec.plan.Plan`; `spec.schema.json_schema` describes the language for
editors. The modules import one way: problems, loader, types -> limits, language -> annotations, explain, check ->
dataset, models, shifts, select -> scope, mce, aggregates, rows, profiles, cells -> build.
"""
