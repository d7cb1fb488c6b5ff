"""hookledger: the server, one street from a git commit to an HTTP answer.

    git commit -> gitops -> application.reconcile -> domain.plans -> application.ledger -> EVENT
    EVENT -> projections -> hook table, audit log
    HTTP -> web -> application.invoke -> hook table -> runtime (isolated worker) -> answer

Layers, top to bottom; imports only point down, and siblings on one line never import each other:

    __main__                                         ``python -m app``
    cli                                              ways in: parse, call, print
    bootstrap                                        composition root, the only reader of config
    web gitops runtime vault journal queue eventstore   adapters (beside them: projections)
    sqlite_files                                     how adapters open files of their own
    application                                      what may be asked
    domain                                           what is true
    telemetry                                        logging and metrics, knows no domain word
"""
