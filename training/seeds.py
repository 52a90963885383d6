"""Short requests as people type them to an assistant, written for this project.

The public sets hold exam questions and long prompts, but no one-line requests, above all none
about design and summaries. These few lines are labelled by hand and weigh little.
"""

from __future__ import annotations

from typing import Final

LINES: Final = {
    "design": """
Design a logo for a small coffee roastery
Suggest a colour palette for a calm meditation app
Make the header of my website look more modern
Create a wireframe for a mobile banking dashboard
Redesign the pricing page so that the plans are easier to compare
Which font pairs well with a bold serif headline
Draw an SVG icon of a paper plane
Give me a layout for a two page brochure
How should I arrange the navigation on a shop with many categories
Make this button stand out without changing the brand colours
Build a landing page for a yoga studio with a hero section and testimonials
Improve the user experience of our checkout flow
Propose a visual identity for a children's museum
Style this form so that it looks good on a phone
Add a dark theme to the settings screen
Create a mood board for a rustic wedding
What would be a good icon for an archive action
Design a poster for a jazz concert in autumn
Critique the spacing and typography of this page
Center the card and give it soft shadows and rounded corners
Plan the screens of an onboarding flow for a fitness app
Make an animated gradient background for the banner
Sketch a floor plan for a small studio flat
Which colours have enough contrast for a warning banner
""",
    "summary": """
Summarize this article in three sentences
Give me the key points of the meeting notes below
TLDR of the following thread please
Shorten this paragraph to one sentence
Summarise the main arguments of the text
What is the gist of this email
Condense the report into five bullet points
Write an abstract for the following paper
Give me a short recap of the chapter
Sum up the customer feedback below
Boil this transcript down to decisions and action items
Provide a brief overview of the document I pasted
Extract the most important facts from this press release
Create an executive summary of the proposal
Summarize the conversation so far
Rewrite this as a summary of at most fifty words
In a few words, what does the passage say
List the highlights of the interview below
Make a one line headline for this news story
Summarize the changes in this release for customers
""",
    "coding": """
Fix the failing tests
Refactor the authentication module to use dependency injection
Add pagination to the users endpoint
Why does this function return undefined
Write a unit test for the parser
Rename the variable everywhere in the project
The build breaks after I upgraded the package, what now
Implement retry with exponential backoff in the client
Convert this callback code to async and await
Explain what this regular expression matches
Create a Dockerfile for the service
There is a race condition in the token refresh, find it
Port this script from bash to python
Make the API return 404 when the item is missing
How do I merge two branches without a merge commit
Set up continuous integration for this repository
Profile the handler and make it faster
Add type hints to the helpers
Deploy the app to kubernetes with helm
Write a migration that adds an index to the orders table
Debug the memory leak in the worker
Reverse a linked list in C
Implement a lock free queue and explain the memory ordering
Review my pull request for bugs
Write a program that prints the primes up to a limit
Generate a REST client from this schema
Replace the deprecated calls in the config loader
Add a command line flag for verbose output
How can I parse a date string in javascript
Write a regex for matching phone numbers
""",
    "data": """
Find the average order value per customer and month
Write a SQL query for the ten most active users
Plot the distribution of ages as a histogram
Which columns of this dataset correlate with churn
Clean the missing values in the spreadsheet
Compute the median income by region from the csv
Build a pivot table of sales by quarter and product
Forecast next month's revenue from this time series
Is the difference between the two groups significant
Make a bar chart of visits per country
Join the orders with the customers and count the returns
Detect outliers in the sensor readings
Calculate the year on year growth for each store
How many distinct visitors came back within a week
Group these transactions by category and show the totals
Explain what the p value in my regression means
Create a dashboard for weekly signups and retention
Normalize the table and remove duplicate rows
Which product had the highest return rate last quarter
Run a linear regression of price on area and rooms
""",
    "general": """
What is the capital of Portugal
Why is the sky blue
Recommend a good book about the sea
Translate this sentence into German
Who wrote the first novel
Plan a week of cheap vegetarian dinners
Write a birthday message for my sister
How do I remove a wine stain from a carpet
Tell me a story about a lighthouse keeper
Prove that there are infinitely many primes
Solve the equation for x
Explain inflation as if I were ten
What should I pack for a hike in spring
Is it safe to take these two medicines together
Write a cover letter for a nursing job
Give me tips for sleeping better
What happened in the year the wall fell
How does a heat pump work
Let us play a quiz about animals
Draft a polite reply to this complaint
Explain the difference between weather and climate
What are my rights if the landlord keeps the deposit
How long does it take to boil an egg
Show that every finite group of prime order is cyclic
Calculate how much paint I need for the room
Who was the emperor at that time
Correct the grammar of this text
Think of a name for my cat
What does this proverb mean
Compare electric and petrol cars for a commuter
""",
}
"""Domain -> requests, one a line."""
