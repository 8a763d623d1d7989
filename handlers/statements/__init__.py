"""Statements: what a customer is billed for a month. Pure: what they are, how they change, what adds up."""
