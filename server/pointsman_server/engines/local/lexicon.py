"""Word groups that hint at a domain or a kind of request, and the code marks that go with them.

The hashed words learn from the training sets; these groups add common knowledge that the training
sets are not broad enough to teach. Each group becomes one dense feature.
"""

from __future__ import annotations

GROUPS: dict[str, str] = {
    "code": (
        "python javascript typescript java kotlin rust golang php ruby swift perl haskell"
        " scala lua bash shell powershell cpp csharp html css react angular vue django flask"
        " laravel spring node npm pip docker kubernetes git github compiler compile runtime"
        " function functions method methods class classes struct variable variables array"
        " arrays pointer pointers loop recursion algorithm api endpoint http json xml yaml"
        " regex script scripts code codes program programming implement refactor debug bug"
        " exception stacktrace traceback syntax library framework backend frontend server"
        " client thread async await unittest pytest return def void int str bool null const"
        " import include printf println stdout argv lambda query repository commit terminal"
        " linux unix cmd cli assembly opengl unity qt tkinter dart flutter swiftui matlab"
        " fortran cobol delphi vba vim vimscript emacs nix nixos ansible terraform helm"
        " kubectl aws azure gcp nginx apache ssh tcp udp socket websocket grpc graphql rest"
        " jwt oauth auth webhook cron daemon kernel driver pytorch tensorflow keras numpy"
        " torch cuda gpu tensor transformers huggingface langchain llm embeddings inference"
        " dockerfile makefile cmake gradle maven webpack vite eslint babel nextjs express"
        " fastapi pydantic sqlalchemy hibernate dotnet asp blazor wpf arduino raspberry"
        " firmware fpga verilog vhdl opcode register mutex deadlock concurrency multithreading"
        " parser lexer tokenizer ast interpreter bytecode wasm heap stack queue hashmap dict"
        " hashtable linked tree graph bfs dfs dijkstra sort sorted binary recursive iterator"
        " generator decorator closure callback promise coroutine inheritance polymorphism"
        " singleton namespace module package packages dependency dependencies refactoring"
        " refactored unittests mock stub deploy deployment pipeline ci codebase snippet"
        " stackoverflow selenium scraper scraping crawler bot plugin extension sdk gui ide"
        " vscode jupyter notebook encode decode hash encryption sha rsa malware app"
        " application software developer coding programmer programmers test tests failing"
        " build builds merge branch branches rename parse handler migration retry schema"
        " config configuration token cache worker leak flag debugger debugging breakpoint lint"
        " linter typing typed types crash crashes crashed segfault undefined exceptions error"
        " errors warning overflow patch hotfix rollback release repo repositories pr commits"
        " rebase endpoints request requests response middleware router routing servers login"
        " authentication authorization session cookie cookies component components hook hooks"
        " state props render routes controller model orm queries"
    ),
    "data": (
        "dataset datasets dataframe pandas numpy csv excel spreadsheet sql mysql postgresql"
        " sqlite postgres bigquery snowflake table tables column columns row rows join groupby"
        " aggregate average mean median variance correlation regression histogram chart plot"
        " visualize visualization dashboard analytics statistics statistical outlier outliers"
        " percentile distribution distinct database databases schema etl warehouse tableau"
        " sklearn cluster clustering timeseries forecast forecasting kpi metrics quarterly"
        " total count duckdb dax powerbi pivot vlookup ggplot matplotlib seaborn plotly spss"
        " stata anova ttest hypothesis quantile quartile skewness variables predictors"
        " regressor classification dataframes clickhouse redshift dbt mongodb aggregation"
        " subquery cte foreign primary keys records revenue growth signups churn retention"
        " visits visitors sales orders customers transactions per region month quarter year"
        " trend trends boxplot scatter predict predicted sum sums mode percent percentage"
        " ranking rank top unique missing duplicates tsv parquet sheet sheets cells"
    ),
    "summary": (
        "summarize summarise summary summaries tldr condense shorten abstract synopsis recap"
        " outline gist paraphrase article passage transcript minutes highlights key points"
        " brief briefly headline excerpt summarization summarizing summarized summed sum up"
        " short shorter sentences sentence bullet bullets main takeaways takeaway overview"
        " conclude conclusion meeting notes report condensed digest synthesize"
    ),
    "design": (
        "design layout logo ui ux figma wireframe mockup css stylesheet responsive button"
        " navbar typography font fonts color colors colour palette animation animate gradient"
        " icon icons svg landing page website webpage banner poster illustration midjourney"
        " theme dark hover modal sidebar card cards grid flexbox tailwind bootstrap prototype"
        " branding aesthetic designs designing designed redesign visual visually style styles"
        " styled styling rounded shadow shadows spacing padding margin align alignment"
        " centered contrast accessible brand identity mood screens onboarding flow aesthetics"
        " photoshop canva adobe illustrator sketchup decorate decoration kitchen bedroom"
        " garden room floor drawing draw painting"
    ),
    "math": (
        "prove proof theorem lemma integral derivative equation equations polynomial matrix"
        " vector eigenvalue probability integer integers prime modulo triangle circle radius"
        " angle geometry algebra calculus converge sequence series sum product limit function"
        " solve compute calculate evaluate simplify fraction percent ratio theorems proofs"
        " integrals derivatives logarithm exponent square root cube divisible multiple"
        " remainder term terms arithmetic geometric modular congruent permutation combination"
        " permutations combinations factorial dice coins cards expected"
    ),
    "writing": (
        "write story poem essay novel character characters dialogue plot scene lyrics song"
        " blog letter email speech script narrative fiction chapter screenplay roleplay"
        " creative imagine persuasive tone rewrite proofread humorous tale lighthouse poems"
        " stories haiku sonnet rhyme limerick speechwriter essays headline slogan tagline"
        " caption captions tweet post blogpost article newsletter toast joke jokes"
    ),
    "vague": (
        "something anything some help idea ideas suggest suggestions recommend recommendation"
        " advice best good better nice interesting plan find want need looking"
    ),
    "particular": (
        "exactly specifically following given using between least most must should only each"
        " every except including within per output input format example constraints"
    ),
    "negation": "not except never no none cannot neither nor without false incorrect",
    "question": "which what who whom whose where when why how is are does do did can could would",
    "steps": "then after before finally first second third next step steps total each remaining",
    "english": (
        "the of and to is that for with it are this from or which you your my not have if how"
        " what please but they she his her their should would could its than when where who"
        " about does did each between there be been by as we our any all only into"
    ),
    "function": (
        "the of and to in a is that for on with as it by an be this are from at or was which"
        " you i my me we your can not have has if will do how what please but they he she his"
        " her"
    ),
}
"""Group name -> its words, lower case, ASCII letters only."""

GROUP_NAMES = tuple(GROUPS)

TOPICAL = ("code", "data", "summary", "design", "math", "writing")
"""Groups whose share of all words is a feature too: evidence in a short text."""
