using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Histories and former states by HTTP, at the owner and at another node.</summary>
public sealed class HistoryTests(BankFixture bank)
{
    private const string Account = "a/ä"; // what a URL and a header have to escape
    private const int Credits = 24;

    private static readonly string Path = $"/account/{Uri.EscapeDataString(Account)}";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task History_and_former_states_are_the_same_at_any_node_page_by_page()
    {
        await using BankNodes nodes = new(bank.Servers, 2, TimeSpan.FromSeconds(20));
        await nodes.Start("one", isStatic: false, Cancellation);
        await nodes.Start("two", isStatic: false, Cancellation);
        await nodes.AllServed(Cancellation);
        await nodes.Running[0].Node.SendAsync(Movement.Open(Account), Cancellation);
        for (int i = 1; i <= Credits; i++)
            await nodes.Running[0].Node.SendAsync(Movement.Credit(Account, i, $"m{i}"), Cancellation);
        foreach (BankNode node in nodes.Running)
        {
            await Pages(node.Http);
            await FormerStates(node.Http);
            await Refusals(node.Http);
        }
    }

    private static async Task Pages(HttpClient http)
    {
        var events = new List<JsonNode>();
        string? next = $"{Path}/events?limit=10";
        for (int pages = 0; next is not null; pages++)
        {
            using HttpResponseMessage answer = await http.GetAsync(next, Cancellation);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            JsonNode page = (await answer.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!;
            ((string?)page["id"], (long)page["version"]!).ShouldBe((Account, Credits + 1));
            events.AddRange(page["events"]!.AsArray()!);
            next = (string?)page["next"];
            if (next is null)
                answer.Headers.Contains("Link").ShouldBeFalse();
            else
                answer.Headers.GetValues("Link").Single().ShouldBe($"<{next}>; rel=\"next\"");
            pages.ShouldBeLessThan(3);
        }

        events.Select(e => (long)e["version"]!).ShouldBe(Enumerable.Range(1, Credits + 1).Select(v => (long)v));
        ((string?)events[3]["type"], (string?)events[3]["commandId"], (long)events[3]["event"]!["amount"]!).ShouldBe(
            ("Banking.Domain.AccountCredited", "m3", 3));
        events[3].AsObject().Select(p => p.Key).ShouldBe(["version", "time", "type", "commandId", "correlationId", "token", "event"]);

        JsonNode newest = (await http.GetFromJsonAsync<JsonNode>($"{Path}/events?order=desc&from=5&limit=2&state=true", Cancellation))!;
        newest["events"]!.AsArray().Select(e => ((long)e!["version"]!, (long)e["state"]!["balance"]!)).ShouldBe([(5, 10), (4, 6)]);
        ((string?)newest["next"]).ShouldBe($"{Path}/events?from=3&order=desc&limit=2&state=true");
    }

    private static async Task FormerStates(HttpClient http)
    {
        JsonNode third = (await http.GetFromJsonAsync<JsonNode>($"{Path}?version=3", Cancellation))!;
        ((long)third["version"]!, (long)third["state"]!["balance"]!).ShouldBe((3, 3));
        JsonNode entry = (await http.GetFromJsonAsync<JsonNode>($"{Path}/events?from=3&limit=1", Cancellation))!["events"]![0]!;
        JsonNode then = (await http.GetFromJsonAsync<JsonNode>($"{Path}?asOf={entry["time"]}", Cancellation))!;
        ((long)then["version"]!).ShouldBeGreaterThanOrEqualTo(3); // several may have one time
        ((string?)third["token"]).ShouldBe((string?)entry["token"]);
    }

    private static async Task Refusals(HttpClient http)
    {
        foreach ((string query, HttpStatusCode status, string detail) in ((string, HttpStatusCode, string)[])
        [
            ("?version=0", HttpStatusCode.BadRequest, "version is '0'; it must be a version: a whole number from 1 on."),
            ("?version=99", HttpStatusCode.NotFound, $"There is no version 99 of the account '{Account}'; it has come to {Credits + 1}."),
            ("?asOf=yesterday", HttpStatusCode.BadRequest, "asOf is 'yesterday'"),
            ("?asOf=1999-01-01T00:00:00Z", HttpStatusCode.NotFound, "at 1999-01-01T00:00:00Z; its first event is of 20"),
            ("?version=1&asOf=2026-01-01T00:00:00Z", HttpStatusCode.BadRequest, "version and asOf are given: a read takes one of them."),
            ("?at=1", HttpStatusCode.BadRequest, "'at' is not a parameter of a read; it takes consistency, token, version or asOf."),
            ("/events?limit=0", HttpStatusCode.BadRequest, "limit is '0'; it must be a whole number from 1 to 1000."),
            ("/events?from=-1", HttpStatusCode.BadRequest, "from is '-1'"),
            ("/events?order=newest", HttpStatusCode.BadRequest, "order is 'newest'; it must be asc or desc."),
            ("/events?state=1", HttpStatusCode.BadRequest, "state is '1'"),
            ("/events?after=1", HttpStatusCode.BadRequest, "it takes from, limit, order, consistency or state."),
        ])
        {
            using HttpResponseMessage refused = await http.GetAsync(Path + query, Cancellation);
            refused.StatusCode.ShouldBe(status, query);
            ((string?)(await refused.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!["detail"]).ShouldNotBeNull().ShouldContain(detail);
        }

        (await http.GetAsync("/account/nobody/events", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        (await http.GetAsync("/account/nobody?version=1", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }
}
