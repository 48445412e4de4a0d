using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary><c>POST /{aggregate}/{id}/{command}</c>: the command in JSON, its outcome as the answer.</summary>
internal static class CommandEndpoints
{
    private const string IdempotencyKey = "Idempotency-Key";
    private const string ExpectedVersionHeader = "Expected-Version";
    private const string CorrelationIdHeader = "X-Correlation-Id";

    public static void Map(IEndpointRouteBuilder routes, NodeLifecycle lifecycle, AggregateDefinition aggregate, Examples examples,
        OperationNames names, HttpOptions options, TimeProvider time)
    {
        foreach (Type command in aggregate.CommandTypes.Where(aggregate.Accepts).OrderBy(t => t.Name, StringComparer.Ordinal))
        {
            string name = Names.InUrl(command);
            names.Command(routes.MapPost($"/{aggregate.Name}/{{id}}/{name}", (
                    string id,
                    [FromHeader(Name = IdempotencyKey)] string? idempotencyKey,
                    [FromHeader(Name = ExpectedVersionHeader)] string? expectedVersion,
                    [FromHeader(Name = CorrelationIdHeader)] string? correlationId,
                    HttpContext context) =>
                    Send(context, () => lifecycle.PartOf(aggregate).Commands, command, id, (idempotencyKey, expectedVersion, correlationId),
                        options, time)), aggregate.Name, name)
                .WithTags(aggregate.Name)
                .WithSummary($"Decide {command.Name}")
                .WithDescription("The header Idempotency-Key is the command id: sent again, it gives the first outcome and changes "
                    + "nothing; with another body, command or Expected-Version it is 422, command-id-reused. "
                    + "The header Expected-Version (any, new, exists, or a number) makes the command conditional.")
                .Accepts(command, "application/json")
                .Produces<CommandOutcome>()
                .ProducesProblem(StatusCodes.Status400BadRequest)
                .ProducesProblem(StatusCodes.Status409Conflict)
                .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
                .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
                .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
                .ProducesProblem(StatusCodes.Status423Locked)
                .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
                .ProducesProblem(StatusCodes.Status504GatewayTimeout)
                .AddOpenApiOperationTransformer((operation, _, _) =>
                {
                    operation.Describe("id", "The aggregate's id, at most 256 bytes of UTF-8; a slash in it is escaped as %2F.");
                    operation.Describe(IdempotencyKey, "The command id, at most 128 bytes; a new one when it is missing.", "open-4711");
                    operation.Describe(ExpectedVersionHeader,
                        "any (also when it is missing), new, exists, or the version that must be current.", "any");
                    operation.Describe(CorrelationIdHeader, "Handed on to the events; the command id when it is missing.");
                    operation.Takes(examples.JsonOf(command));
                    operation.Answers(Examples.Outcome);
                    return Task.CompletedTask;
                });
        }
    }

    private static async Task<IResult> Send(
        HttpContext context, Func<ICommandClient> commands, Type commandType, string id,
        (string? IdempotencyKey, string? ExpectedVersion, string? CorrelationId) given,
        HttpOptions options, TimeProvider time)
    {
        IHeaderDictionary headers = context.Request.Headers;
        foreach (string once in (string[])[IdempotencyKey, ExpectedVersionHeader, CorrelationIdHeader])
        {
            if (headers[once].Count > 1)
                throw new InvalidInputException(once, $"The header {once} is given {headers[once].Count} times; it takes one value.");
        }

        AggregateId aggregateId = Of("id", () => AggregateId.Parse(Unambiguous("id", id)));
        CommandId commandId = given.IdempotencyKey is { } key
            ? Of(IdempotencyKey, () => CommandId.Parse(Unambiguous("commandId", key)))
            : CommandId.New(time);
        string? correlation = given.CorrelationId is { } follows ? Of(CorrelationIdHeader, () => CorrelationId.Parse(follows)) : null;
        ExpectedVersion expected = given.ExpectedVersion is { } version
            ? Of(ExpectedVersionHeader, () => ExpectedVersion.Parse(version))
            : ExpectedVersion.Any;
        // A condition that is not understood must not be taken as none.
        foreach (string conditional in (string[])["If-Match", "If-None-Match", "If-Unmodified-Since"])
        {
            if (headers.ContainsKey(conditional))
                throw new InvalidInputException(conditional,
                    $"The header {conditional} is not supported; make the command conditional by Expected-Version: any, new, exists, or a "
                        + $"version.");
        }

        if (context.Request.Query.Count > 0)
            throw new InvalidInputException(context.Request.Query.First().Key,
                $"A command takes no query parameter; '{context.Request.Query.First().Key}' belongs into the body or a header.");
        object payload = await JsonBody.Read(context, commandType, options.MaxBodyBytes).ConfigureAwait(false);
        var envelope = new CommandEnvelope(aggregateId, commandId, payload)
        {
            ExpectedVersion = expected,
            CorrelationId = correlation,
            TraceParent = Activity.Current is { IdFormat: ActivityIdFormat.W3C } request ? request.Id : null,
            TraceState = Activity.Current?.TraceStateString,
        };
        return Answer(context, await commands().SendAsync(envelope, context.RequestAborted).ConfigureAwait(false));
    }

    // A new id that only looks like another one would be another aggregate, or another command. What is in the log already can still be
    // read, and written to by the command topic.
    private static string Unambiguous(string field, string id) =>
        IdentifierForm.WhatLooksAlike(id) is { } alike ? throw new InvalidInputException(field, alike) : id;

    /// <summary>What a part of the request says; what is wrong with it is told under the name that the caller knows.</summary>
    internal static T Of<T>(string part, Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (InvalidInputException wrong)
        {
            throw new InvalidInputException(part, $"{part}: {wrong.Message}", wrong);
        }
    }

    private static IResult Answer(HttpContext context, CommandResult result)
    {
        switch (result)
        {
            case CommandResult.Accepted accepted:
                context.Response.Headers[ReadModelEndpoints.TokenHeader] = accepted.Token.ToString();
                return Results.Json(
                    new CommandOutcome(result.CommandId.Value, result.AggregateId.Value, result.Version, accepted.Token.ToString(),
                        result.IsDuplicate), JsonFormat.Options);
            case CommandResult.Rejected rejected:
                return Refused(StatusCodes.Status422UnprocessableEntity, rejected.Rejection.Code, rejected.Rejection.Message, result,
                    [new("details", rejected.Rejection.Details)]);
            case CommandResult.Conflict conflict:
                return Refused(StatusCodes.Status409Conflict, "version-conflict",
                    $"The aggregate is at version {conflict.Version}; {conflict.Expected} was expected.", result,
                    [new("expected", conflict.Expected.ToString())]);
            case CommandResult.Faulted faulted:
                return Refused(faulted.Code == "decide-failed" ? StatusCodes.Status500InternalServerError : StatusCodes.Status400BadRequest,
                    faulted.Code, faulted.Message, result, []);
            default:
                throw new UnreachableException($"{result.GetType().Name} is not an outcome.");
        }
    }

    private static IResult Refused(int status, string code, string message, CommandResult result,
        IEnumerable<KeyValuePair<string, object?>> more) =>
        Problems.Of(status, code, message,
        [
            new("commandId", result.CommandId.Value),
            new("aggregateId", result.AggregateId.Value),
            new("version", result.Version),
            new("duplicate", result.IsDuplicate),
            .. more,
        ]);
}
