using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Http;

namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>However many large requests come at once, what they hold is bounded, and those beyond are told to come again.</summary>
public sealed class BodiesInFlightTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Request_that_announces_too_much_beside_another_is_refused_before_it_is_read()
    {
        var bodies = new BodiesInFlight(1_000);
        await bodies.Answer(Post(new byte[800], announced: true), async _ =>
        {
            bodies.Bytes.ShouldBe(800);
            bool wasCalled = false;
            (await Should.ThrowAsync<OverloadedException>(bodies.Answer(Post(new byte[300], announced: true), _ =>
            {
                wasCalled = true;
                return Task.CompletedTask;
            }))).Message.ShouldContain("1,000");
            wasCalled.ShouldBeFalse();
            await bodies.Answer(Post(new byte[200], announced: true), _ => Task.CompletedTask);
        });
        bodies.Bytes.ShouldBe(0);
    }

    [Fact]
    public async Task Body_without_a_length_is_counted_as_it_is_read_and_refused_when_it_is_too_much()
    {
        var bodies = new BodiesInFlight(1_000);
        await bodies.Answer(Post(new byte[800], announced: true), async _ =>
        {
            await bodies.Answer(Post(new byte[150], announced: false), ReadAll);
            await Should.ThrowAsync<OverloadedException>(bodies.Answer(Post(new byte[300], announced: false), ReadAll));
            bodies.Bytes.ShouldBe(800);
        });
        bodies.Bytes.ShouldBe(0);
    }

    [Fact]
    public async Task Single_request_is_taken_whatever_it_has_and_all_is_given_back_when_it_fails()
    {
        var bodies = new BodiesInFlight(1_000);
        await Should.ThrowAsync<InvalidInputException>(bodies.Answer(Post(new byte[5_000], announced: true), async context =>
        {
            await ReadAll(context);
            bodies.Bytes.ShouldBe(5_000);
            throw new InvalidInputException("$", "It is wrong.");
        }));
        bodies.Bytes.ShouldBe(0);
    }

    private static async Task ReadAll(HttpContext context)
    {
        using var copy = new MemoryStream();
        await context.Request.Body.CopyToAsync(copy, Cancellation);
    }

    private static DefaultHttpContext Post(byte[] body, bool announced)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = HttpMethods.Post;
        context.Request.Body = new MemoryStream(body);
        context.Request.ContentLength = announced ? body.Length : null;
        return context;
    }
}
